// Code that writes to another page of its own translation: a block that runs into the page it writes.
// Each write must make progress, however the page is protected. 
// cflags: -Wl,-N
    .option norvc
    .globl _start
    .text
_start:
    la a0, word
    li a1, 7
    j near
    .balign 4096
    .space 4096-64
near:
    sw a1, 0(a0)
    .rept 20
    addi a2, a2, 1
    .endr
    li a0, 0
    li a7, 93
    ecall
word: .word 0
