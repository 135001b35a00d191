# Where programs start. In the simulator the stack pointer is 0, and the arguments are where it puts them: their number at 4,
# pointers from 8 on. Elsewhere both are on the stack.
        .text
        .globl  _start
_start: xor     $fp, $fp
        cmp     $sp, $fp
        beq     .Lsimulator
        ld.l    $r0, ($sp)
        mov     $r1, $sp
        inc     $r1, 4
        jmpa    .Lmain
.Lsimulator:
        ldi.l   $sp, _stack
        lda.l   $r0, 4
        ldi.l   $r1, 8
.Lmain: jsra    main
        jsra    exit
        brk
