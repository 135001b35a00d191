// Start of a test, and the way into the code under test and out of it again.
//
// `run` enters code in a privilege; that code ends by some trap, which comes back here. A trap that is delegated enters the supervisor's
// handler, which keeps the four CSRs in registers and leaves to machine mode by an exception that is not delegated: `ecall`, or where
// that is delegated, an access to a machine CSR.

#if __riscv_xlen == 64
#define SREG sd
#define LREG ld
#define WORD 8
#else
#define SREG sw
#define LREG lw
#define WORD 4
#endif

// What `struct record` in machine.h says, and behind it the registers of the caller of `run`.
#define BY      (0 * WORD)
#define CAUSE   (1 * WORD)
#define EPC     (2 * WORD)
#define TVAL    (3 * WORD)
#define STATUS  (4 * WORD)
#define A0      (5 * WORD)
#define A1      (6 * WORD)
#define VECTOR  (7 * WORD)
#define RUNNING (8 * WORD)
#define SAVED   (9 * WORD)

    .section .text.start, "ax"
    .globl _start
_start:
    csrr    t0, mhartid
    bnez    t0, second
    la      sp, stack_top
    la      t0, machine_handler
    csrw    mtvec, t0
    la      t0, supervisor_handler
    csrw    stvec, t0
    la      t0, last
    csrw    mscratch, t0
    // Without a PMP entry that allows it, S and U have no memory.
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0
    call    test
    call    finish
// Another hart than the first: what it does is the test's.
second:
    la      sp, second_stack_top
    la      t0, stray
    csrw    mtvec, t0
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0
    call    second_hart
park:
    wfi
    j       park

// saved OP: the registers that a C function keeps.
.macro saved op, base
    .set offset, SAVED
    .irp register, ra, gp, tp, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    \op     \register, offset(\base)
    .set offset, offset + WORD
    .endr
.endm

    .text
// void run(mode, code, a0, a1): the trap that ends it is in `last`.
    .globl run
run:
    la      t0, last
    saved   SREG, t0
    SREG    sp, (SAVED + 15 * WORD)(t0)
    li      t1, 1
    SREG    t1, RUNNING(t0)
    SREG    zero, VECTOR(t0)
    csrw    mepc, a1
    la      t1, status
    LREG    t1, 0(t1)
    slli    a0, a0, 11
    or      t1, t1, a0
#if __riscv_xlen == 64
    csrr    t2, mstatus             // SXL and UXL stay
    li      t0, 15
    slli    t0, t0, 32
    and     t2, t2, t0
    or      t1, t1, t2
#endif
    mv      a0, a2
    mv      a1, a3
    .irp register, ra, sp, gp, tp, t0, t3, t4, t5, t6, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, a2, a3, a4, a5, a6, a7
    li      \register, 0
    .endr
    csrw    mstatus, t1
    li      t1, 0
    li      t2, 0
    mret

// The handlers' first instructions are the tables of vectored mode: an exception enters at the base, interrupt n at the nth word.
    .balign 256
    .globl machine_vectors
machine_vectors:
    .option push
    .option norvc
    .rept 20
    jal     t0, vectored
    .endr
    .option pop
vectored:
    csrrw   sp, mscratch, sp
    SREG    t0, VECTOR(sp)
    j       entered

    .balign 64
    .globl machine_handler
machine_handler:
    csrrw   sp, mscratch, sp
entered:
    SREG    a0, A0(sp)
    SREG    a1, A1(sp)
    LREG    a0, RUNNING(sp)
    beqz    a0, stray
    csrr    a0, mepc
    la      a1, by_ecall
    beq     a0, a1, delegated
    la      a1, by_csr
    beq     a0, a1, delegated
    li      a1, 3
    SREG    a1, BY(sp)
    SREG    a0, EPC(sp)
    csrr    a0, mcause
    SREG    a0, CAUSE(sp)
    csrr    a0, mtval
    SREG    a0, TVAL(sp)
    csrr    a0, mstatus
    SREG    a0, STATUS(sp)
    j       leave
delegated:
    li      a1, 1
    SREG    a1, BY(sp)
    SREG    t3, CAUSE(sp)
    SREG    t4, EPC(sp)
    SREG    t5, TVAL(sp)
    SREG    t6, STATUS(sp)
    SREG    t2, VECTOR(sp)
leave:
    SREG    zero, RUNNING(sp)
    csrw    mscratch, sp
    li      t0, 0x20008             // MPRV, MIE
    csrc    mstatus, t0
    saved   LREG, sp
    LREG    sp, (SAVED + 15 * WORD)(sp)
    ret
// A trap of the test itself.
    .balign 4
stray:
    csrr    a0, mcause
    csrr    a1, mepc
    csrr    a2, mtval
    la      sp, stack_top
    call    stray_trap

// The supervisor's handler is on the page of fragments, which tests map for supervisors.
    .section .fragments, "ax"
    .option push
    .option norvc
    .balign 256
    .globl supervisor_vectors
supervisor_vectors:
    .rept 20
    jal     t2, supervisor_handler
    .endr
    .balign 64
    .globl supervisor_handler
supervisor_handler:
    bnez    tp, by_csr
    li      tp, 1
    csrr    t3, scause
    csrr    t4, sepc
    csrr    t5, stval
    csrr    t6, sstatus
by_ecall:
    ecall
by_csr:
    csrr    zero, mhartid
    .option pop

// Instructions that `assemble` makes.
    .balign 64
    .globl generated
generated:
    .space  64

    .data
    .globl show_details
show_details:
    .word   DETAILS

// The host looks for these two words by their symbols (HTIF); nothing else is on their page.
    .section .htif, "aw"
    .balign 4096
    .irp name, tohost, fromhost
    .balign 64
    .globl  \name
    .type   \name, @object
    .size   \name, 8
\name:
    .dword  0
    .endr
    .balign 4096

    .bss
    .balign 16
    .globl last
last:
    .space  (SAVED + 16 * WORD)
