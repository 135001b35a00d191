// Each of the sixteen registers in each operand position, and all addressing forms.
// Expectations are what GNU as 2.40 makes of the text; `check` is in AssemblerTests.swift.

import CodeGenX64
import Testing

@Test func everyRegisterInEachOperandPositionEncodes() {
    checkEachGPR(
        "add {r64}, rax",
        """
        4801c0 4801c1 4801c2 4801c3 4801c4 4801c5 4801c6 4801c7 4901c0 4901c1 4901c2 4901c3 4901c4 4901c5 4901c6
        4901c7
        """
    ) { $0.alu(.add, .qword, $1, .rax) }
    checkEachGPR(
        "add rax, {r64}",
        """
        4801c0 4801c8 4801d0 4801d8 4801e0 4801e8 4801f0 4801f8 4c01c0 4c01c8 4c01d0 4c01d8 4c01e0 4c01e8 4c01f0
        4c01f8
        """
    ) { $0.alu(.add, .qword, .rax, $1) }
    checkEachGPR(
        "add {r8}, al",
        """
        00c0 00c1 00c2 00c3 4000c4 4000c5 4000c6 4000c7 4100c0 4100c1 4100c2 4100c3 4100c4 4100c5 4100c6 4100c7
        """
    ) { $0.alu(.add, .byte, $1, .rax) }
    checkEachGPR(
        "add al, {r8}",
        """
        00c0 00c8 00d0 00d8 4000e0 4000e8 4000f0 4000f8 4400c0 4400c8 4400d0 4400d8 4400e0 4400e8 4400f0 4400f8
        """
    ) { $0.alu(.add, .byte, .rax, $1) }
    checkEachGPR(
        "add {r16}, r9w",
        """
        664401c8 664401c9 664401ca 664401cb 664401cc 664401cd 664401ce 664401cf 664501c8 664501c9 664501ca
        664501cb 664501cc 664501cd 664501ce 664501cf
        """
    ) { $0.alu(.add, .word, $1, .r9) }
    checkEachGPR(
        "add r9d, {r32}",
        """
        4101c1 4101c9 4101d1 4101d9 4101e1 4101e9 4101f1 4101f9 4501c1 4501c9 4501d1 4501d9 4501e1 4501e9 4501f1
        4501f9
        """
    ) { $0.alu(.add, .dword, .r9, $1) }
    checkEachGPR(
        "add {r64}, 0x12345",
        """
        480545230100 4881c145230100 4881c245230100 4881c345230100 4881c445230100 4881c545230100 4881c645230100
        4881c745230100 4981c045230100 4981c145230100 4981c245230100 4981c345230100 4981c445230100 4981c545230100
        4981c645230100 4981c745230100
        """
    ) { $0.alu(.add, .qword, $1, imm: 0x12345) }
    checkEachGPR(
        "xor {r8}, 0x12",
        """
        3412 80f112 80f212 80f312 4080f412 4080f512 4080f612 4080f712 4180f012 4180f112 4180f212 4180f312
        4180f412 4180f512 4180f612 4180f712
        """
    ) { $0.alu(.xor, .byte, $1, imm: 0x12) }
    checkEachGPR(
        "cmp {r32}, -1",
        """
        83f8ff 83f9ff 83faff 83fbff 83fcff 83fdff 83feff 83ffff 4183f8ff 4183f9ff 4183faff 4183fbff 4183fcff
        4183fdff 4183feff 4183ffff
        """
    ) { $0.alu(.cmp, .dword, $1, imm: -1) }
    checkEachGPR(
        "mov {r8}, byte ptr [rbx]",
        """
        8a03 8a0b 8a13 8a1b 408a23 408a2b 408a33 408a3b 448a03 448a0b 448a13 448a1b 448a23 448a2b 448a33 448a3b
        """
    ) { $0.mov(.byte, $1, Address(.rbx)) }
    checkEachGPR(
        "mov byte ptr [rbx], {r8}",
        """
        8803 880b 8813 881b 408823 40882b 408833 40883b 448803 44880b 448813 44881b 448823 44882b 448833 44883b
        """
    ) { $0.mov(.byte, Address(.rbx), $1) }
    checkEachGPR(
        "mov byte ptr [{r64}], cl",
        """
        8808 8809 880a 880b 880c24 884d00 880e 880f 418808 418809 41880a 41880b 41880c24 41884d00 41880e 41880f
        """
    ) { $0.mov(.byte, Address($1), .rcx) }
    checkEachGPR(
        "mov qword ptr [{r64}], rcx",
        """
        488908 488909 48890a 48890b 48890c24 48894d00 48890e 48890f 498908 498909 49890a 49890b 49890c24
        49894d00 49890e 49890f
        """
    ) { $0.mov(.qword, Address($1), .rcx) }
    checkEachGPR(
        "mov eax, dword ptr [{r64}]",
        """
        8b00 8b01 8b02 8b03 8b0424 8b4500 8b06 8b07 418b00 418b01 418b02 418b03 418b0424 418b4500 418b06 418b07
        """
    ) { $0.mov(.dword, .rax, Address($1)) }
    checkEachGPR(
        "mov eax, dword ptr [{r64}+1]",
        """
        8b4001 8b4101 8b4201 8b4301 8b442401 8b4501 8b4601 8b4701 418b4001 418b4101 418b4201 418b4301 418b442401
        418b4501 418b4601 418b4701
        """
    ) { $0.mov(.dword, .rax, Address($1, 1)) }
    checkEachGPR(
        "mov eax, dword ptr [{r64}-128]",
        """
        8b4080 8b4180 8b4280 8b4380 8b442480 8b4580 8b4680 8b4780 418b4080 418b4180 418b4280 418b4380 418b442480
        418b4580 418b4680 418b4780
        """
    ) { $0.mov(.dword, .rax, Address($1, -128)) }
    checkEachGPR(
        "mov eax, dword ptr [{r64}+128]",
        """
        8b8080000000 8b8180000000 8b8280000000 8b8380000000 8b842480000000 8b8580000000 8b8680000000
        8b8780000000 418b8080000000 418b8180000000 418b8280000000 418b8380000000 418b842480000000 418b8580000000
        418b8680000000 418b8780000000
        """
    ) { $0.mov(.dword, .rax, Address($1, 128)) }
    checkEachGPR(
        "mov eax, dword ptr [{r64}-129]",
        """
        8b807fffffff 8b817fffffff 8b827fffffff 8b837fffffff 8b84247fffffff 8b857fffffff 8b867fffffff
        8b877fffffff 418b807fffffff 418b817fffffff 418b827fffffff 418b837fffffff 418b84247fffffff 418b857fffffff
        418b867fffffff 418b877fffffff
        """
    ) { $0.mov(.dword, .rax, Address($1, -129)) }
    checkEachGPR(
        "mov rax, qword ptr [{r64}+rcx*4]",
        """
        488b0488 488b0489 488b048a 488b048b 488b048c 488b448d00 488b048e 488b048f 498b0488 498b0489 498b048a
        498b048b 498b048c 498b448d00 498b048e 498b048f
        """
    ) { $0.mov(.qword, .rax, Address($1, index: .rcx, .x4)) }
    checkEachGPR(
        "mov rax, qword ptr [{r64}+r9*8+0x7f]",
        """
        4a8b44c87f 4a8b44c97f 4a8b44ca7f 4a8b44cb7f 4a8b44cc7f 4a8b44cd7f 4a8b44ce7f 4a8b44cf7f 4b8b44c87f
        4b8b44c97f 4b8b44ca7f 4b8b44cb7f 4b8b44cc7f 4b8b44cd7f 4b8b44ce7f 4b8b44cf7f
        """
    ) { $0.mov(.qword, .rax, Address($1, index: .r9, .x8, 0x7f)) }
    checkEachGPR(
        "mov rax, qword ptr [{r64}+r9*1-0x12345678]",
        """
        4a8b840888a9cbed 4a8b840988a9cbed 4a8b840a88a9cbed 4a8b840b88a9cbed 4a8b840c88a9cbed 4a8b840d88a9cbed
        4a8b840e88a9cbed 4a8b840f88a9cbed 4b8b840888a9cbed 4b8b840988a9cbed 4b8b840a88a9cbed 4b8b840b88a9cbed
        4b8b840c88a9cbed 4b8b840d88a9cbed 4b8b840e88a9cbed 4b8b840f88a9cbed
        """
    ) { $0.mov(.qword, .rax, Address($1, index: .r9, .x1, -0x12345678)) }
    checkEachGPR(
        "mov {r32}, 0x12345678",
        """
        b878563412 b978563412 ba78563412 bb78563412 bc78563412 bd78563412 be78563412 bf78563412 41b878563412
        41b978563412 41ba78563412 41bb78563412 41bc78563412 41bd78563412 41be78563412 41bf78563412
        """
    ) { $0.mov($1, imm: 0x12345678) }
    checkEachGPR(
        "mov {r64}, -2",
        """
        48c7c0feffffff 48c7c1feffffff 48c7c2feffffff 48c7c3feffffff 48c7c4feffffff 48c7c5feffffff 48c7c6feffffff
        48c7c7feffffff 49c7c0feffffff 49c7c1feffffff 49c7c2feffffff 49c7c3feffffff 49c7c4feffffff 49c7c5feffffff
        49c7c6feffffff 49c7c7feffffff
        """
    ) { $0.mov($1, imm: -2) }
    checkEachGPR(
        "movabs {r64}, 0x123456789abcdef0",
        """
        48b8f0debc9a78563412 48b9f0debc9a78563412 48baf0debc9a78563412 48bbf0debc9a78563412 48bcf0debc9a78563412
        48bdf0debc9a78563412 48bef0debc9a78563412 48bff0debc9a78563412 49b8f0debc9a78563412 49b9f0debc9a78563412
        49baf0debc9a78563412 49bbf0debc9a78563412 49bcf0debc9a78563412 49bdf0debc9a78563412 49bef0debc9a78563412
        49bff0debc9a78563412
        """
    ) { $0.mov($1, imm: 0x123456789abcdef0) }
    checkEachGPR(
        "movzx {r32}, dl",
        """
        0fb6c2 0fb6ca 0fb6d2 0fb6da 0fb6e2 0fb6ea 0fb6f2 0fb6fa 440fb6c2 440fb6ca 440fb6d2 440fb6da 440fb6e2
        440fb6ea 440fb6f2 440fb6fa
        """
    ) { $0.movzx($1, .byte, .rdx) }
    checkEachGPR(
        "movzx eax, {r8}",
        """
        0fb6c0 0fb6c1 0fb6c2 0fb6c3 400fb6c4 400fb6c5 400fb6c6 400fb6c7 410fb6c0 410fb6c1 410fb6c2 410fb6c3
        410fb6c4 410fb6c5 410fb6c6 410fb6c7
        """
    ) { $0.movzx(.rax, .byte, $1) }
    checkEachGPR(
        "movsx rax, {r8}",
        """
        480fbec0 480fbec1 480fbec2 480fbec3 480fbec4 480fbec5 480fbec6 480fbec7 490fbec0 490fbec1 490fbec2
        490fbec3 490fbec4 490fbec5 490fbec6 490fbec7
        """
    ) { $0.movsx(.qword, .rax, .byte, $1) }
    checkEachGPR(
        "movzx ecx, {r16}",
        """
        0fb7c8 0fb7c9 0fb7ca 0fb7cb 0fb7cc 0fb7cd 0fb7ce 0fb7cf 410fb7c8 410fb7c9 410fb7ca 410fb7cb 410fb7cc
        410fb7cd 410fb7ce 410fb7cf
        """
    ) { $0.movzx(.rcx, .word, $1) }
    checkEachGPR(
        "movsxd {r64}, r8d",
        """
        4963c0 4963c8 4963d0 4963d8 4963e0 4963e8 4963f0 4963f8 4d63c0 4d63c8 4d63d0 4d63d8 4d63e0 4d63e8 4d63f0
        4d63f8
        """
    ) { $0.movsx(.qword, $1, .dword, .r8) }
    checkEachGPR(
        "bswap {r32}",
        """
        0fc8 0fc9 0fca 0fcb 0fcc 0fcd 0fce 0fcf 410fc8 410fc9 410fca 410fcb 410fcc 410fcd 410fce 410fcf
        """
    ) { $0.bswap(.dword, $1) }
    checkEachGPR(
        "bswap {r64}",
        """
        480fc8 480fc9 480fca 480fcb 480fcc 480fcd 480fce 480fcf 490fc8 490fc9 490fca 490fcb 490fcc 490fcd 490fce
        490fcf
        """
    ) { $0.bswap(.qword, $1) }
    checkEachGPR(
        "push {r64}",
        """
        50 51 52 53 54 55 56 57 4150 4151 4152 4153 4154 4155 4156 4157
        """
    ) { $0.push($1) }
    checkEachGPR(
        "pop {r64}",
        """
        58 59 5a 5b 5c 5d 5e 5f 4158 4159 415a 415b 415c 415d 415e 415f
        """
    ) { $0.pop($1) }
    checkEachGPR(
        "call {r64}",
        """
        ffd0 ffd1 ffd2 ffd3 ffd4 ffd5 ffd6 ffd7 41ffd0 41ffd1 41ffd2 41ffd3 41ffd4 41ffd5 41ffd6 41ffd7
        """
    ) { $0.call($1) }
    checkEachGPR(
        "jmp {r64}",
        """
        ffe0 ffe1 ffe2 ffe3 ffe4 ffe5 ffe6 ffe7 41ffe0 41ffe1 41ffe2 41ffe3 41ffe4 41ffe5 41ffe6 41ffe7
        """
    ) { $0.jmp($1) }
    checkEachGPR(
        "call qword ptr [{r64}+8]",
        """
        ff5008 ff5108 ff5208 ff5308 ff542408 ff5508 ff5608 ff5708 41ff5008 41ff5108 41ff5208 41ff5308 41ff542408
        41ff5508 41ff5608 41ff5708
        """
    ) { $0.call(Address($1, 8)) }
    checkEachGPR(
        "sete {r8}",
        """
        0f94c0 0f94c1 0f94c2 0f94c3 400f94c4 400f94c5 400f94c6 400f94c7 410f94c0 410f94c1 410f94c2 410f94c3
        410f94c4 410f94c5 410f94c6 410f94c7
        """
    ) { $0.set(.e, $1) }
    checkEachGPR(
        "neg {r8}",
        """
        f6d8 f6d9 f6da f6db 40f6dc 40f6dd 40f6de 40f6df 41f6d8 41f6d9 41f6da 41f6db 41f6dc 41f6dd 41f6de 41f6df
        """
    ) { $0.unary(.neg, .byte, $1) }
    checkEachGPR(
        "shl {r64}, 5",
        """
        48c1e005 48c1e105 48c1e205 48c1e305 48c1e405 48c1e505 48c1e605 48c1e705 49c1e005 49c1e105 49c1e205
        49c1e305 49c1e405 49c1e505 49c1e605 49c1e705
        """
    ) { $0.shift(.shl, .qword, $1, imm: 5) }
    checkEachGPR(
        "sar {r8}, cl",
        """
        d2f8 d2f9 d2fa d2fb 40d2fc 40d2fd 40d2fe 40d2ff 41d2f8 41d2f9 41d2fa 41d2fb 41d2fc 41d2fd 41d2fe 41d2ff
        """
    ) { $0.shiftByCL(.sar, .byte, $1) }
    checkEachGPR(
        "popcnt {r64}, rbx",
        """
        f3480fb8c3 f3480fb8cb f3480fb8d3 f3480fb8db f3480fb8e3 f3480fb8eb f3480fb8f3 f3480fb8fb f34c0fb8c3
        f34c0fb8cb f34c0fb8d3 f34c0fb8db f34c0fb8e3 f34c0fb8eb f34c0fb8f3 f34c0fb8fb
        """
    ) { $0.binary(.popcnt, .qword, $1, .rbx) }
    checkEachGPR(
        "popcnt rbx, {r64}",
        """
        f3480fb8d8 f3480fb8d9 f3480fb8da f3480fb8db f3480fb8dc f3480fb8dd f3480fb8de f3480fb8df f3490fb8d8
        f3490fb8d9 f3490fb8da f3490fb8db f3490fb8dc f3490fb8dd f3490fb8de f3490fb8df
        """
    ) { $0.binary(.popcnt, .qword, .rbx, $1) }
    checkEachGPR(
        "cmovb r10d, {r32}",
        """
        440f42d0 440f42d1 440f42d2 440f42d3 440f42d4 440f42d5 440f42d6 440f42d7 450f42d0 450f42d1 450f42d2
        450f42d3 450f42d4 450f42d5 450f42d6 450f42d7
        """
    ) { $0.binary(.cmov(.b), .dword, .r10, $1) }
    checkEachGPR(
        "andn {r64}, rdx, rsi",
        """
        c4e2e8f2c6 c4e2e8f2ce c4e2e8f2d6 c4e2e8f2de c4e2e8f2e6 c4e2e8f2ee c4e2e8f2f6 c4e2e8f2fe c462e8f2c6
        c462e8f2ce c462e8f2d6 c462e8f2de c462e8f2e6 c462e8f2ee c462e8f2f6 c462e8f2fe
        """
    ) { $0.bmi(.andn, .qword, $1, .rdx, .rsi) }
    checkEachGPR(
        "andn rdi, {r64}, rsi",
        """
        c4e2f8f2fe c4e2f0f2fe c4e2e8f2fe c4e2e0f2fe c4e2d8f2fe c4e2d0f2fe c4e2c8f2fe c4e2c0f2fe c4e2b8f2fe
        c4e2b0f2fe c4e2a8f2fe c4e2a0f2fe c4e298f2fe c4e290f2fe c4e288f2fe c4e280f2fe
        """
    ) { $0.bmi(.andn, .qword, .rdi, $1, .rsi) }
    checkEachGPR(
        "andn edi, edx, {r32}",
        """
        c4e268f2f8 c4e268f2f9 c4e268f2fa c4e268f2fb c4e268f2fc c4e268f2fd c4e268f2fe c4e268f2ff c4c268f2f8
        c4c268f2f9 c4c268f2fa c4c268f2fb c4c268f2fc c4c268f2fd c4c268f2fe c4c268f2ff
        """
    ) { $0.bmi(.andn, .dword, .rdi, .rdx, $1) }
    checkEachGPR(
        "shlx rdi, rsi, {r64}",
        """
        c4e2f9f7fe c4e2f1f7fe c4e2e9f7fe c4e2e1f7fe c4e2d9f7fe c4e2d1f7fe c4e2c9f7fe c4e2c1f7fe c4e2b9f7fe
        c4e2b1f7fe c4e2a9f7fe c4e2a1f7fe c4e299f7fe c4e291f7fe c4e289f7fe c4e281f7fe
        """
    ) { $0.bmi(.shlx, .qword, .rdi, .rsi, $1) }
    checkEachGPR(
        "blsr {r64}, rsi",
        """
        c4e2f8f3ce c4e2f0f3ce c4e2e8f3ce c4e2e0f3ce c4e2d8f3ce c4e2d0f3ce c4e2c8f3ce c4e2c0f3ce c4e2b8f3ce
        c4e2b0f3ce c4e2a8f3ce c4e2a0f3ce c4e298f3ce c4e290f3ce c4e288f3ce c4e280f3ce
        """
    ) { $0.bmi(.blsr, .qword, $1, .rsi) }
    checkEachGPR(
        "rorx {r32}, esi, 7",
        """
        c4e37bf0c607 c4e37bf0ce07 c4e37bf0d607 c4e37bf0de07 c4e37bf0e607 c4e37bf0ee07 c4e37bf0f607 c4e37bf0fe07
        c4637bf0c607 c4637bf0ce07 c4637bf0d607 c4637bf0de07 c4637bf0e607 c4637bf0ee07 c4637bf0f607 c4637bf0fe07
        """
    ) { $0.rorx(.dword, $1, .rsi, imm: 7) }
    checkEachGPR(
        "lock xadd dword ptr [{r64}], r12d",
        """
        f0440fc120 f0440fc121 f0440fc122 f0440fc123 f0440fc12424 f0440fc16500 f0440fc126 f0440fc127 f0450fc120
        f0450fc121 f0450fc122 f0450fc123 f0450fc12424 f0450fc16500 f0450fc126 f0450fc127
        """
    ) { $0.lockXadd(.dword, Address($1), .r12) }
    checkEachGPR(
        "lock cmpxchg byte ptr [rbp], {r8}",
        """
        f00fb04500 f00fb04d00 f00fb05500 f00fb05d00 f0400fb06500 f0400fb06d00 f0400fb07500 f0400fb07d00
        f0440fb04500 f0440fb04d00 f0440fb05500 f0440fb05d00 f0440fb06500 f0440fb06d00 f0440fb07500 f0440fb07d00
        """
    ) { $0.lockCmpxchg(.byte, Address(.rbp), $1) }
    checkEachXMM(
        "vaddsd {x}, xmm1, xmm2",
        """
        c5f358c2 c5f358ca c5f358d2 c5f358da c5f358e2 c5f358ea c5f358f2 c5f358fa c57358c2 c57358ca c57358d2
        c57358da c57358e2 c57358ea c57358f2 c57358fa
        """
    ) { $0.rvm(.vadd(.sd), $1, .xmm1, .xmm2) }
    checkEachXMM(
        "vaddsd xmm0, {x}, xmm2",
        """
        c5fb58c2 c5f358c2 c5eb58c2 c5e358c2 c5db58c2 c5d358c2 c5cb58c2 c5c358c2 c5bb58c2 c5b358c2 c5ab58c2
        c5a358c2 c59b58c2 c59358c2 c58b58c2 c58358c2
        """
    ) { $0.rvm(.vadd(.sd), .xmm0, $1, .xmm2) }
    checkEachXMM(
        "vsubsd xmm0, xmm1, {x}",
        """
        c5f35cc0 c5f35cc1 c5f35cc2 c5f35cc3 c5f35cc4 c5f35cc5 c5f35cc6 c5f35cc7 c4c1735cc0 c4c1735cc1 c4c1735cc2
        c4c1735cc3 c4c1735cc4 c4c1735cc5 c4c1735cc6 c4c1735cc7
        """
    ) { $0.rvm(.vsub(.sd), .xmm0, .xmm1, $1) }
    checkEachXMM(
        "vfmadd213ss {x}, xmm9, xmm2",
        """
        c4e231a9c2 c4e231a9ca c4e231a9d2 c4e231a9da c4e231a9e2 c4e231a9ea c4e231a9f2 c4e231a9fa c46231a9c2
        c46231a9ca c46231a9d2 c46231a9da c46231a9e2 c46231a9ea c46231a9f2 c46231a9fa
        """
    ) { $0.rvm(.vfmadd(.o213, .ss), $1, .xmm9, .xmm2) }
    checkEachXMM(
        "vfnmsub231sd xmm3, {x}, xmm2",
        """
        c4e2f9bfda c4e2f1bfda c4e2e9bfda c4e2e1bfda c4e2d9bfda c4e2d1bfda c4e2c9bfda c4e2c1bfda c4e2b9bfda
        c4e2b1bfda c4e2a9bfda c4e2a1bfda c4e299bfda c4e291bfda c4e289bfda c4e281bfda
        """
    ) { $0.rvm(.vfnmsub(.o231, .sd), .xmm3, $1, .xmm2) }
    checkEachXMM(
        "vmovaps {x}, xmm3",
        """
        c5f828c3 c5f828cb c5f828d3 c5f828db c5f828e3 c5f828eb c5f828f3 c5f828fb c57828c3 c57828cb c57828d3
        c57828db c57828e3 c57828eb c57828f3 c57828fb
        """
    ) { $0.vmov(.vmovaps, $1, .xmm3) }
    checkEachXMM(
        "vmovaps xmm3, {x}",
        """
        c5f828d8 c5f828d9 c5f828da c5f828db c5f828dc c5f828dd c5f828de c5f828df c57829c3 c57829cb c57829d3
        c57829db c57829e3 c57829eb c57829f3 c57829fb
        """
    ) { $0.vmov(.vmovaps, .xmm3, $1) }
    checkEachXMM(
        "vmovdqu {x}, xmmword ptr [r13+r12*2]",
        """
        c4817a6f446500 c4817a6f4c6500 c4817a6f546500 c4817a6f5c6500 c4817a6f646500 c4817a6f6c6500 c4817a6f746500
        c4817a6f7c6500 c4017a6f446500 c4017a6f4c6500 c4017a6f546500 c4017a6f5c6500 c4017a6f646500 c4017a6f6c6500
        c4017a6f746500 c4017a6f7c6500
        """
    ) { $0.vmov(.vmovdqu, $1, Address(.r13, index: .r12, .x2)) }
    checkEachXMM(
        "vmovsd qword ptr [rsp], {x}",
        """
        c5fb110424 c5fb110c24 c5fb111424 c5fb111c24 c5fb112424 c5fb112c24 c5fb113424 c5fb113c24 c57b110424
        c57b110c24 c57b111424 c57b111c24 c57b112424 c57b112c24 c57b113424 c57b113c24
        """
    ) { $0.vmov(.vmovsd, Address(.rsp), $1) }
    checkEachXMM(
        "vblendvpd xmm1, xmm2, xmm3, {x}",
        """
        c4e3694bcb00 c4e3694bcb10 c4e3694bcb20 c4e3694bcb30 c4e3694bcb40 c4e3694bcb50 c4e3694bcb60 c4e3694bcb70
        c4e3694bcb80 c4e3694bcb90 c4e3694bcba0 c4e3694bcbb0 c4e3694bcbc0 c4e3694bcbd0 c4e3694bcbe0 c4e3694bcbf0
        """
    ) { $0.rvmr(.vblendvpd, .xmm1, .xmm2, .xmm3, $1) }
    checkEachGPR(
        "vmovq {r64}, xmm1",
        """
        c4e1f97ec8 c4e1f97ec9 c4e1f97eca c4e1f97ecb c4e1f97ecc c4e1f97ecd c4e1f97ece c4e1f97ecf c4c1f97ec8
        c4c1f97ec9 c4c1f97eca c4c1f97ecb c4c1f97ecc c4c1f97ecd c4c1f97ece c4c1f97ecf
        """
    ) { $0.vmov(.qword, $1, .xmm1) }
    checkEachGPR(
        "vmovd xmm1, {r32}",
        """
        c5f96ec8 c5f96ec9 c5f96eca c5f96ecb c5f96ecc c5f96ecd c5f96ece c5f96ecf c4c1796ec8 c4c1796ec9 c4c1796eca
        c4c1796ecb c4c1796ecc c4c1796ecd c4c1796ece c4c1796ecf
        """
    ) { $0.vmov(.dword, .xmm1, $1) }
    checkEachGPR(
        "vcvtsi2sd xmm1, xmm2, {r64}",
        """
        c4e1eb2ac8 c4e1eb2ac9 c4e1eb2aca c4e1eb2acb c4e1eb2acc c4e1eb2acd c4e1eb2ace c4e1eb2acf c4c1eb2ac8
        c4c1eb2ac9 c4c1eb2aca c4c1eb2acb c4c1eb2acc c4c1eb2acd c4c1eb2ace c4c1eb2acf
        """
    ) { $0.vcvtsi2(.sd, .qword, .xmm1, .xmm2, $1) }
    checkEachGPR(
        "vcvttsd2si {r64}, xmm1",
        """
        c4e1fb2cc1 c4e1fb2cc9 c4e1fb2cd1 c4e1fb2cd9 c4e1fb2ce1 c4e1fb2ce9 c4e1fb2cf1 c4e1fb2cf9 c461fb2cc1
        c461fb2cc9 c461fb2cd1 c461fb2cd9 c461fb2ce1 c461fb2ce9 c461fb2cf1 c461fb2cf9
        """
    ) { $0.toInt(.vcvtt2si(.sd), .qword, $1, .xmm1) }
    checkEachXMM(
        "vpsrld {x}, xmm1, 31",
        """
        c5f972d11f c5f172d11f c5e972d11f c5e172d11f c5d972d11f c5d172d11f c5c972d11f c5c172d11f c5b972d11f
        c5b172d11f c5a972d11f c5a172d11f c59972d11f c59172d11f c58972d11f c58172d11f
        """
    ) { $0.vmi(.vpsrld, $1, .xmm1, imm: 31) }
    checkEachXMM(
        "vpslldq xmm1, {x}, 4",
        """
        c5f173f804 c5f173f904 c5f173fa04 c5f173fb04 c5f173fc04 c5f173fd04 c5f173fe04 c5f173ff04 c4c17173f804
        c4c17173f904 c4c17173fa04 c4c17173fb04 c4c17173fc04 c4c17173fd04 c4c17173fe04 c4c17173ff04
        """
    ) { $0.vmi(.vpslldq, .xmm1, $1, imm: 4) }
}

@Test func addressesOf32BitsEncode() {
    checkEachGPR(
        "mov rax, qword ptr [{r32}+8]",
        """
        67488b4008 67488b4108 67488b4208 67488b4308 67488b442408 67488b4508 67488b4608 67488b4708 67498b4008
        67498b4108 67498b4208 67498b4308 67498b442408 67498b4508 67498b4608 67498b4708
        """
    ) { $0.mov(.qword, .rax, .narrow($1, 8)) }
    check("mov word ptr [r13d], 0x1234", "676641c745003412") { $0.mov(.word, .narrow(.r13), imm: 0x1234) }
    check("vmovsd xmm9, qword ptr [ebx-0x12345678]", "67c57b108b88a9cbed") {
        $0.vmov(.vmovsd, .xmm9, .narrow(.rbx, -0x12345678))
    }
    check("lock cmpxchg dword ptr [r12d], ecx", "67f0410fb10c24") { $0.lockCmpxchg(.dword, .narrow(.r12), .rcx) }
    check("lea r11, [esi-4]", "674c8d5efc") { $0.lea(.qword, .r11, .narrow(.rsi, -4)) }
    check("movzx eax, byte ptr [ebp]", "670fb64500") { $0.movzx(.rax, .byte, .narrow(.rbp)) }
}

@Test func addressingFormsEncodes() {
    check("mov eax, dword ptr [rcx*2+0]", "8b044d00000000") { $0.mov(.dword, .rax, Address(index: .rcx, .x2)) }
    check("mov eax, dword ptr [r12*8-0x10]", "428b04e5f0ffffff") {
        $0.mov(.dword, .rax, Address(index: .r12, .x8, -0x10))
    }
    check("mov eax, dword ptr [rbp*4+0x1000]", "8b04ad00100000") {
        $0.mov(.dword, .rax, Address(index: .rbp, .x4, 0x1000))
    }
    check("mov eax, dword ptr ds:0x1234", "8b042534120000") { $0.mov(.dword, .rax, .low(0x1234)) }
    check("mov r15, qword ptr ds:0xffffffff80000000", "4c8b3c2500000080") { $0.mov(.qword, .r15, .low(-0x8000_0000)) }
    check("lea rax, [rip+0x1000]", "488d0500100000") { $0.lea(.qword, .rax, .rip(0x11007)) }
    check("cmp dword ptr [rip+0x1000], 1", "833d0010000001") { $0.alu(.cmp, .dword, .rip(0x11007), imm: 1) }
    check("cmp dword ptr [rip-0x1000], 0x12345678", "813d00f0ffff78563412") {
        $0.alu(.cmp, .dword, .rip(0xf00a), imm: 0x12345678)
    }
    check("mov word ptr [rip+0x1000], 0x1234", "66c705001000003412") { $0.mov(.word, .rip(0x11009), imm: 0x1234) }
    check("vmovsd xmm8, qword ptr [rip+0x1000]", "c57b100500100000") { $0.vmov(.vmovsd, .xmm8, .rip(0x11008)) }
    check("vroundsd xmm8, xmm1, qword ptr [rip+0x1000], 4", "c463710b050010000004") {
        $0.rvmi(.vround(.sd), .xmm8, .xmm1, .rip(0x1100a), imm: 4)
    }
    check("vaddss xmm8, xmm1, dword ptr [rcx*8+0x1000]", "c5725804cd00100000") {
        $0.rvm(.vadd(.ss), .xmm8, .xmm1, Address(index: .rcx, .x8, 0x1000))
    }
    check("lea r8d, [rax+rax*1+0x7f]", "448d44007f") { $0.lea(.dword, .r8, Address(.rax, index: .rax, .x1, 0x7f)) }
    check("lea r8w, [rsp+rax*2]", "66448d0444") { $0.lea(.word, .r8, Address(.rsp, index: .rax, .x2)) }
}

/// Two lines per base, one column per index but rsp: `mov rdx, [base + index * 4]`.
@Test func everyBaseWithEveryIndexEncodes() {
    check(
        "mov rdx, qword ptr [base + index * 4]",
        """
        488b1480 488b1488 488b1490 488b1498 488b14a8 488b14b0 488b14b8 4a8b1480
        4a8b1488 4a8b1490 4a8b1498 4a8b14a0 4a8b14a8 4a8b14b0 4a8b14b8
        488b1481 488b1489 488b1491 488b1499 488b14a9 488b14b1 488b14b9 4a8b1481
        4a8b1489 4a8b1491 4a8b1499 4a8b14a1 4a8b14a9 4a8b14b1 4a8b14b9
        488b1482 488b148a 488b1492 488b149a 488b14aa 488b14b2 488b14ba 4a8b1482
        4a8b148a 4a8b1492 4a8b149a 4a8b14a2 4a8b14aa 4a8b14b2 4a8b14ba
        488b1483 488b148b 488b1493 488b149b 488b14ab 488b14b3 488b14bb 4a8b1483
        4a8b148b 4a8b1493 4a8b149b 4a8b14a3 4a8b14ab 4a8b14b3 4a8b14bb
        488b1484 488b148c 488b1494 488b149c 488b14ac 488b14b4 488b14bc 4a8b1484
        4a8b148c 4a8b1494 4a8b149c 4a8b14a4 4a8b14ac 4a8b14b4 4a8b14bc
        488b548500 488b548d00 488b549500 488b549d00 488b54ad00 488b54b500 488b54bd00 4a8b548500
        4a8b548d00 4a8b549500 4a8b549d00 4a8b54a500 4a8b54ad00 4a8b54b500 4a8b54bd00
        488b1486 488b148e 488b1496 488b149e 488b14ae 488b14b6 488b14be 4a8b1486
        4a8b148e 4a8b1496 4a8b149e 4a8b14a6 4a8b14ae 4a8b14b6 4a8b14be
        488b1487 488b148f 488b1497 488b149f 488b14af 488b14b7 488b14bf 4a8b1487
        4a8b148f 4a8b1497 4a8b149f 4a8b14a7 4a8b14af 4a8b14b7 4a8b14bf
        498b1480 498b1488 498b1490 498b1498 498b14a8 498b14b0 498b14b8 4b8b1480
        4b8b1488 4b8b1490 4b8b1498 4b8b14a0 4b8b14a8 4b8b14b0 4b8b14b8
        498b1481 498b1489 498b1491 498b1499 498b14a9 498b14b1 498b14b9 4b8b1481
        4b8b1489 4b8b1491 4b8b1499 4b8b14a1 4b8b14a9 4b8b14b1 4b8b14b9
        498b1482 498b148a 498b1492 498b149a 498b14aa 498b14b2 498b14ba 4b8b1482
        4b8b148a 4b8b1492 4b8b149a 4b8b14a2 4b8b14aa 4b8b14b2 4b8b14ba
        498b1483 498b148b 498b1493 498b149b 498b14ab 498b14b3 498b14bb 4b8b1483
        4b8b148b 4b8b1493 4b8b149b 4b8b14a3 4b8b14ab 4b8b14b3 4b8b14bb
        498b1484 498b148c 498b1494 498b149c 498b14ac 498b14b4 498b14bc 4b8b1484
        4b8b148c 4b8b1494 4b8b149c 4b8b14a4 4b8b14ac 4b8b14b4 4b8b14bc
        498b548500 498b548d00 498b549500 498b549d00 498b54ad00 498b54b500 498b54bd00 4b8b548500
        4b8b548d00 4b8b549500 4b8b549d00 4b8b54a500 4b8b54ad00 4b8b54b500 4b8b54bd00
        498b1486 498b148e 498b1496 498b149e 498b14ae 498b14b6 498b14be 4b8b1486
        4b8b148e 4b8b1496 4b8b149e 4b8b14a6 4b8b14ae 4b8b14b6 4b8b14be
        498b1487 498b148f 498b1497 498b149f 498b14af 498b14b7 498b14bf 4b8b1487
        4b8b148f 4b8b1497 4b8b149f 4b8b14a7 4b8b14af 4b8b14b7 4b8b14bf
        """
    ) {
        for base in GPR.allCases {
            for index in GPR.allCases where index != .rsp {
                $0.mov(.qword, .rdx, Address(base, index: index, .x4))
            }
        }
    }
}
