// Frame of the self-checking assembly tests: every check has a number (in s11); the first that fails prints
// "FAIL <number>" and exits with 1; the end of the program prints PASS and exits with 0.
// Numbers count the checks of a file in order: to find one, assemble with -Wa,-a or count the macro calls.

.set check_number, 0

// Compares a register with a constant.
.macro expect reg, value
    .set check_number, check_number + 1
    li s11, check_number
    li s10, \value
    beq \reg, s10, 1f
    j check_failed
1:
.endm

// op rd, rs1, rs2: distinct registers, then rd = rs1, rd = rs2, and x0 as destination and operand stay zero.
.macro rr op, result, a, b
    li a1, \a
    li a2, \b
    \op a0, a1, a2
    expect a0, \result
    expect a1, \a
    li a1, \a
    \op a1, a1, a2
    expect a1, \result
    li a1, \a
    \op a2, a1, a2
    expect a2, \result
    \op x0, a1, a2
    expect x0, 0
.endm

// op rd, rs1, imm
.macro ri op, result, a, imm
    li a1, \a
    \op a0, a1, \imm
    expect a0, \result
    \op a1, a1, \imm
    expect a1, \result
.endm

// op rd, rs1
.macro r1 op, result, a
    li a1, \a
    \op a0, a1
    expect a0, \result
    \op a1, a1
    expect a1, \result
.endm

// The start and the end of a test.
.macro start
    .option nopic
    .text
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
.endm

.macro finish
    la a1, pass_text
    li a2, 5
    li s9, 0
    j check_print
check_failed:
    // Prints the number in decimal, digits from the right.
    la a1, fail_text_end
    li t1, 10
    mv t0, s11
1:  remu t2, t0, t1
    divu t0, t0, t1
    addi t2, t2, '0'
    addi a1, a1, -1
    sb t2, 0(a1)
    bnez t0, 1b
    la t0, fail_word
    li t1, 5
2:  addi t1, t1, -1
    add t2, t0, t1
    lbu t2, 0(t2)
    addi a1, a1, -1
    sb t2, 0(a1)
    bnez t1, 2b
    la a2, fail_text_end
    addi a2, a2, 1
    sub a2, a2, a1
    li s9, 1
check_print:
    li a0, 1
    li a7, 64
    ecall
    mv a0, s9
    li a7, 94
    ecall
    .section .rodata
pass_text: .ascii "PASS\n"
fail_word: .ascii "FAIL "
    .data
    .space 32
fail_text_end: .ascii "\n"
.endm
