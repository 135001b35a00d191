// Code that writes to another page of its own translation: one region over two pages.
// Each write must make progress, however the page is protected. 
// cflags: -Wl,-N
    .option norvc
    .globl _start
    .text
_start:
    la a0, word
    li a1, 7
    li a3, 10
    j near
    .balign 4096
near:
    sw a1, 0(a0)
    addi a3, a3, -1
    j far
    .balign 4096
    .space 512
far:
    bnez a3, near
    li a0, 0
    li a7, 93
    ecall
word: .word 0
