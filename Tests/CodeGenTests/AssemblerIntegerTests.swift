// Integer instructions as text, bytes and call, side by side.
// Expectations are what GNU as 2.40 makes of the text; `check` is in AssemblerTests.swift.

import CodeGenX64
import Testing

@Test func movesEncodes() {
    check("mov bl, cl", "88cb") { $0.mov(.byte, .rbx, .rcx) }
    check("mov bx, cx", "6689cb") { $0.mov(.word, .rbx, .rcx) }
    check("mov ebx, r12d", "4489e3") { $0.mov(.dword, .rbx, .r12) }
    check("mov r12, rbx", "4989dc") { $0.mov(.qword, .r12, .rbx) }
    check("mov cx, word ptr [rdi]", "668b0f") { $0.mov(.word, .rcx, Address(.rdi)) }
    check("mov word ptr [rdi], r8w", "66448907") { $0.mov(.word, Address(.rdi), .r8) }
    check("mov dword ptr [rdi], esi", "8937") { $0.mov(.dword, Address(.rdi), .rsi) }
    check("mov byte ptr [rdi+3], 0xff", "c64703ff") { $0.mov(.byte, Address(.rdi, 3), imm: -1) }
    check("mov word ptr [r8], 0x1234", "6641c7003412") { $0.mov(.word, Address(.r8), imm: 0x1234) }
    check("mov dword ptr [rsp+8], 0x12345678", "c744240878563412") { $0.mov(.dword, Address(.rsp, 8), imm: 0x12345678) }
    check("mov qword ptr [rbp+r8*8+16], -1", "4ac744c510ffffffff") {
        $0.mov(.qword, Address(.rbp, index: .r8, .x8, 16), imm: -1)
    }
    check("mov eax, 0", "b800000000") { $0.mov(.rax, imm: 0) }
    check("mov eax, 0xffffffff", "b8ffffffff") { $0.mov(.rax, imm: 0xffff_ffff) }
    check("mov rax, -0x80000000", "48c7c000000080") { $0.mov(.rax, imm: -0x8000_0000) }
    check("movabs rax, 0x100000000", "48b80000000001000000") { $0.mov(.rax, imm: 0x1_0000_0000) }
    check("movabs r11, -0x80000001", "49bbffffff7fffffffff") { $0.mov(.r11, imm: -0x8000_0001) }
    check("xor ecx, ecx", "31c9") { $0.zero(.rcx) }
    check("xor r9d, r9d", "4531c9") { $0.zero(.r9) }
    check("movzx eax, byte ptr [rsi]", "0fb606") { $0.movzx(.rax, .byte, Address(.rsi)) }
    check("movzx r8d, byte ptr [rsp]", "440fb60424") { $0.movzx(.r8, .byte, Address(.rsp)) }
    check("movzx eax, word ptr [rsi+r9*1]", "420fb7040e") { $0.movzx(.rax, .word, Address(.rsi, index: .r9)) }
    check("mov eax, ecx", "8bc1") { $0.movzx(.rax, .dword, .rcx) }
    check("mov rax, qword ptr [rcx]", "488b01") { $0.movzx(.rax, .qword, Address(.rcx)) }
    check("movsx eax, byte ptr [rsi]", "0fbe06") { $0.movsx(.dword, .rax, .byte, Address(.rsi)) }
    check("movsx rax, byte ptr [rsi]", "480fbe06") { $0.movsx(.qword, .rax, .byte, Address(.rsi)) }
    check("movsx ax, byte ptr [rsi]", "660fbe06") { $0.movsx(.word, .rax, .byte, Address(.rsi)) }
    check("movsx r9d, word ptr [rsi]", "440fbf0e") { $0.movsx(.dword, .r9, .word, Address(.rsi)) }
    check("movsx r9, word ptr [rsi]", "4c0fbf0e") { $0.movsx(.qword, .r9, .word, Address(.rsi)) }
    check("movsxd r9, dword ptr [rsi]", "4c630e") { $0.movsx(.qword, .r9, .dword, Address(.rsi)) }
    check("movbe ax, word ptr [rsi]", "660f38f006") { $0.movbe(.word, .rax, Address(.rsi)) }
    check("movbe r9d, dword ptr [rsi]", "440f38f00e") { $0.movbe(.dword, .r9, Address(.rsi)) }
    check("movbe rax, qword ptr [r10]", "490f38f002") { $0.movbe(.qword, .rax, Address(.r10)) }
    check("movbe word ptr [rsi], r9w", "66440f38f10e") { $0.movbe(.word, Address(.rsi), .r9) }
    check("movbe dword ptr [rsi], eax", "0f38f106") { $0.movbe(.dword, Address(.rsi), .rax) }
    check("movbe qword ptr [rsi], rax", "480f38f106") { $0.movbe(.qword, Address(.rsi), .rax) }
    check("xchg ebx, ecx", "87cb") { $0.xchg(.dword, .rbx, .rcx) }
    check("xchg r8, rsi", "4987f0") { $0.xchg(.qword, .r8, .rsi) }
    check("xchg sil, bl", "4086de") { $0.xchg(.byte, .rsi, .rbx) }
    check("xchg byte ptr [rdi], sil", "408637") { $0.xchg(.byte, Address(.rdi), .rsi) }
    check("xchg qword ptr [rdi], rax", "488707") { $0.xchg(.qword, Address(.rdi), .rax) }
    check("lea rax, [rcx+rdx*1]", "488d0411") { $0.lea(.qword, .rax, Address(.rcx, index: .rdx)) }
    check("push qword ptr [rax]", "ff30") { $0.push(Address(.rax)) }
    check("push 5", "6a05") { $0.push(imm: 5) }
    check("push -129", "687fffffff") { $0.push(imm: -129) }
    check("pop qword ptr [r9+8]", "418f4108") { $0.pop(Address(.r9, 8)) }
}

@Test func twoOperandArithmeticEncodes() {
    check("add ecx, edx", "01d1") { $0.alu(.add, .dword, .rcx, .rdx) }
    check("add r8, r9", "4d01c8") { $0.alu(.add, .qword, .r8, .r9) }
    check("add bl, sil", "4000f3") { $0.alu(.add, .byte, .rbx, .rsi) }
    check("add bx, r10w", "664401d3") { $0.alu(.add, .word, .rbx, .r10) }
    check("add rcx, qword ptr [rsp+8]", "48034c2408") { $0.alu(.add, .qword, .rcx, Address(.rsp, 8)) }
    check("add cl, byte ptr [rsp]", "020c24") { $0.alu(.add, .byte, .rcx, Address(.rsp)) }
    check("add dword ptr [rdi], r9d", "44010f") { $0.alu(.add, .dword, Address(.rdi), .r9) }
    check("add byte ptr [rsi], dil", "40003e") { $0.alu(.add, .byte, Address(.rsi), .rdi) }
    check("add rbx, 0x7f", "4883c37f") { $0.alu(.add, .qword, .rbx, imm: 0x7f) }
    check("add rbx, 0x80", "4881c380000000") { $0.alu(.add, .qword, .rbx, imm: 0x80) }
    check("add eax, 0x1000", "0500100000") { $0.alu(.add, .dword, .rax, imm: 0x1000) }
    check("add al, 0x12", "0412") { $0.alu(.add, .byte, .rax, imm: 0x12) }
    check("add bx, -2", "6683c3fe") { $0.alu(.add, .word, .rbx, imm: 0xfffe) }
    check("add bx, 0x1234", "6681c33412") { $0.alu(.add, .word, .rbx, imm: 0x1234) }
    check("add qword ptr [rbp-8], 1", "488345f801") { $0.alu(.add, .qword, Address(.rbp, -8), imm: 1) }
    check("add word ptr [rbp-8], 0x1234", "668145f83412") { $0.alu(.add, .word, Address(.rbp, -8), imm: 0x1234) }
    check("add byte ptr [r13], 0x80", "4180450080") { $0.alu(.add, .byte, Address(.r13), imm: 0x80) }
    check("add dword ptr [r12], 0x12345", "4181042445230100") { $0.alu(.add, .dword, Address(.r12), imm: 0x12345) }
    check("or ecx, edx", "09d1") { $0.alu(.or, .dword, .rcx, .rdx) }
    check("or r8, r9", "4d09c8") { $0.alu(.or, .qword, .r8, .r9) }
    check("or bl, sil", "4008f3") { $0.alu(.or, .byte, .rbx, .rsi) }
    check("or bx, r10w", "664409d3") { $0.alu(.or, .word, .rbx, .r10) }
    check("or rcx, qword ptr [rsp+8]", "480b4c2408") { $0.alu(.or, .qword, .rcx, Address(.rsp, 8)) }
    check("or cl, byte ptr [rsp]", "0a0c24") { $0.alu(.or, .byte, .rcx, Address(.rsp)) }
    check("or dword ptr [rdi], r9d", "44090f") { $0.alu(.or, .dword, Address(.rdi), .r9) }
    check("or byte ptr [rsi], dil", "40083e") { $0.alu(.or, .byte, Address(.rsi), .rdi) }
    check("or rbx, 0x7f", "4883cb7f") { $0.alu(.or, .qword, .rbx, imm: 0x7f) }
    check("or rbx, 0x80", "4881cb80000000") { $0.alu(.or, .qword, .rbx, imm: 0x80) }
    check("or eax, 0x1000", "0d00100000") { $0.alu(.or, .dword, .rax, imm: 0x1000) }
    check("or al, 0x12", "0c12") { $0.alu(.or, .byte, .rax, imm: 0x12) }
    check("or bx, -2", "6683cbfe") { $0.alu(.or, .word, .rbx, imm: 0xfffe) }
    check("or bx, 0x1234", "6681cb3412") { $0.alu(.or, .word, .rbx, imm: 0x1234) }
    check("or qword ptr [rbp-8], 1", "48834df801") { $0.alu(.or, .qword, Address(.rbp, -8), imm: 1) }
    check("or word ptr [rbp-8], 0x1234", "66814df83412") { $0.alu(.or, .word, Address(.rbp, -8), imm: 0x1234) }
    check("or byte ptr [r13], 0x80", "41804d0080") { $0.alu(.or, .byte, Address(.r13), imm: 0x80) }
    check("or dword ptr [r12], 0x12345", "41810c2445230100") { $0.alu(.or, .dword, Address(.r12), imm: 0x12345) }
    check("adc ecx, edx", "11d1") { $0.alu(.adc, .dword, .rcx, .rdx) }
    check("adc r8, r9", "4d11c8") { $0.alu(.adc, .qword, .r8, .r9) }
    check("adc bl, sil", "4010f3") { $0.alu(.adc, .byte, .rbx, .rsi) }
    check("adc bx, r10w", "664411d3") { $0.alu(.adc, .word, .rbx, .r10) }
    check("adc rcx, qword ptr [rsp+8]", "48134c2408") { $0.alu(.adc, .qword, .rcx, Address(.rsp, 8)) }
    check("adc cl, byte ptr [rsp]", "120c24") { $0.alu(.adc, .byte, .rcx, Address(.rsp)) }
    check("adc dword ptr [rdi], r9d", "44110f") { $0.alu(.adc, .dword, Address(.rdi), .r9) }
    check("adc byte ptr [rsi], dil", "40103e") { $0.alu(.adc, .byte, Address(.rsi), .rdi) }
    check("adc rbx, 0x7f", "4883d37f") { $0.alu(.adc, .qword, .rbx, imm: 0x7f) }
    check("adc rbx, 0x80", "4881d380000000") { $0.alu(.adc, .qword, .rbx, imm: 0x80) }
    check("adc eax, 0x1000", "1500100000") { $0.alu(.adc, .dword, .rax, imm: 0x1000) }
    check("adc al, 0x12", "1412") { $0.alu(.adc, .byte, .rax, imm: 0x12) }
    check("adc bx, -2", "6683d3fe") { $0.alu(.adc, .word, .rbx, imm: 0xfffe) }
    check("adc bx, 0x1234", "6681d33412") { $0.alu(.adc, .word, .rbx, imm: 0x1234) }
    check("adc qword ptr [rbp-8], 1", "488355f801") { $0.alu(.adc, .qword, Address(.rbp, -8), imm: 1) }
    check("adc word ptr [rbp-8], 0x1234", "668155f83412") { $0.alu(.adc, .word, Address(.rbp, -8), imm: 0x1234) }
    check("adc byte ptr [r13], 0x80", "4180550080") { $0.alu(.adc, .byte, Address(.r13), imm: 0x80) }
    check("adc dword ptr [r12], 0x12345", "4181142445230100") { $0.alu(.adc, .dword, Address(.r12), imm: 0x12345) }
    check("sbb ecx, edx", "19d1") { $0.alu(.sbb, .dword, .rcx, .rdx) }
    check("sbb r8, r9", "4d19c8") { $0.alu(.sbb, .qword, .r8, .r9) }
    check("sbb bl, sil", "4018f3") { $0.alu(.sbb, .byte, .rbx, .rsi) }
    check("sbb bx, r10w", "664419d3") { $0.alu(.sbb, .word, .rbx, .r10) }
    check("sbb rcx, qword ptr [rsp+8]", "481b4c2408") { $0.alu(.sbb, .qword, .rcx, Address(.rsp, 8)) }
    check("sbb cl, byte ptr [rsp]", "1a0c24") { $0.alu(.sbb, .byte, .rcx, Address(.rsp)) }
    check("sbb dword ptr [rdi], r9d", "44190f") { $0.alu(.sbb, .dword, Address(.rdi), .r9) }
    check("sbb byte ptr [rsi], dil", "40183e") { $0.alu(.sbb, .byte, Address(.rsi), .rdi) }
    check("sbb rbx, 0x7f", "4883db7f") { $0.alu(.sbb, .qword, .rbx, imm: 0x7f) }
    check("sbb rbx, 0x80", "4881db80000000") { $0.alu(.sbb, .qword, .rbx, imm: 0x80) }
    check("sbb eax, 0x1000", "1d00100000") { $0.alu(.sbb, .dword, .rax, imm: 0x1000) }
    check("sbb al, 0x12", "1c12") { $0.alu(.sbb, .byte, .rax, imm: 0x12) }
    check("sbb bx, -2", "6683dbfe") { $0.alu(.sbb, .word, .rbx, imm: 0xfffe) }
    check("sbb bx, 0x1234", "6681db3412") { $0.alu(.sbb, .word, .rbx, imm: 0x1234) }
    check("sbb qword ptr [rbp-8], 1", "48835df801") { $0.alu(.sbb, .qword, Address(.rbp, -8), imm: 1) }
    check("sbb word ptr [rbp-8], 0x1234", "66815df83412") { $0.alu(.sbb, .word, Address(.rbp, -8), imm: 0x1234) }
    check("sbb byte ptr [r13], 0x80", "41805d0080") { $0.alu(.sbb, .byte, Address(.r13), imm: 0x80) }
    check("sbb dword ptr [r12], 0x12345", "41811c2445230100") { $0.alu(.sbb, .dword, Address(.r12), imm: 0x12345) }
    check("and ecx, edx", "21d1") { $0.alu(.and, .dword, .rcx, .rdx) }
    check("and r8, r9", "4d21c8") { $0.alu(.and, .qword, .r8, .r9) }
    check("and bl, sil", "4020f3") { $0.alu(.and, .byte, .rbx, .rsi) }
    check("and bx, r10w", "664421d3") { $0.alu(.and, .word, .rbx, .r10) }
    check("and rcx, qword ptr [rsp+8]", "48234c2408") { $0.alu(.and, .qword, .rcx, Address(.rsp, 8)) }
    check("and cl, byte ptr [rsp]", "220c24") { $0.alu(.and, .byte, .rcx, Address(.rsp)) }
    check("and dword ptr [rdi], r9d", "44210f") { $0.alu(.and, .dword, Address(.rdi), .r9) }
    check("and byte ptr [rsi], dil", "40203e") { $0.alu(.and, .byte, Address(.rsi), .rdi) }
    check("and rbx, 0x7f", "4883e37f") { $0.alu(.and, .qword, .rbx, imm: 0x7f) }
    check("and rbx, 0x80", "4881e380000000") { $0.alu(.and, .qword, .rbx, imm: 0x80) }
    check("and eax, 0x1000", "2500100000") { $0.alu(.and, .dword, .rax, imm: 0x1000) }
    check("and al, 0x12", "2412") { $0.alu(.and, .byte, .rax, imm: 0x12) }
    check("and bx, -2", "6683e3fe") { $0.alu(.and, .word, .rbx, imm: 0xfffe) }
    check("and bx, 0x1234", "6681e33412") { $0.alu(.and, .word, .rbx, imm: 0x1234) }
    check("and qword ptr [rbp-8], 1", "488365f801") { $0.alu(.and, .qword, Address(.rbp, -8), imm: 1) }
    check("and word ptr [rbp-8], 0x1234", "668165f83412") { $0.alu(.and, .word, Address(.rbp, -8), imm: 0x1234) }
    check("and byte ptr [r13], 0x80", "4180650080") { $0.alu(.and, .byte, Address(.r13), imm: 0x80) }
    check("and dword ptr [r12], 0x12345", "4181242445230100") { $0.alu(.and, .dword, Address(.r12), imm: 0x12345) }
    check("sub ecx, edx", "29d1") { $0.alu(.sub, .dword, .rcx, .rdx) }
    check("sub r8, r9", "4d29c8") { $0.alu(.sub, .qword, .r8, .r9) }
    check("sub bl, sil", "4028f3") { $0.alu(.sub, .byte, .rbx, .rsi) }
    check("sub bx, r10w", "664429d3") { $0.alu(.sub, .word, .rbx, .r10) }
    check("sub rcx, qword ptr [rsp+8]", "482b4c2408") { $0.alu(.sub, .qword, .rcx, Address(.rsp, 8)) }
    check("sub cl, byte ptr [rsp]", "2a0c24") { $0.alu(.sub, .byte, .rcx, Address(.rsp)) }
    check("sub dword ptr [rdi], r9d", "44290f") { $0.alu(.sub, .dword, Address(.rdi), .r9) }
    check("sub byte ptr [rsi], dil", "40283e") { $0.alu(.sub, .byte, Address(.rsi), .rdi) }
    check("sub rbx, 0x7f", "4883eb7f") { $0.alu(.sub, .qword, .rbx, imm: 0x7f) }
    check("sub rbx, 0x80", "4881eb80000000") { $0.alu(.sub, .qword, .rbx, imm: 0x80) }
    check("sub eax, 0x1000", "2d00100000") { $0.alu(.sub, .dword, .rax, imm: 0x1000) }
    check("sub al, 0x12", "2c12") { $0.alu(.sub, .byte, .rax, imm: 0x12) }
    check("sub bx, -2", "6683ebfe") { $0.alu(.sub, .word, .rbx, imm: 0xfffe) }
    check("sub bx, 0x1234", "6681eb3412") { $0.alu(.sub, .word, .rbx, imm: 0x1234) }
    check("sub qword ptr [rbp-8], 1", "48836df801") { $0.alu(.sub, .qword, Address(.rbp, -8), imm: 1) }
    check("sub word ptr [rbp-8], 0x1234", "66816df83412") { $0.alu(.sub, .word, Address(.rbp, -8), imm: 0x1234) }
    check("sub byte ptr [r13], 0x80", "41806d0080") { $0.alu(.sub, .byte, Address(.r13), imm: 0x80) }
    check("sub dword ptr [r12], 0x12345", "41812c2445230100") { $0.alu(.sub, .dword, Address(.r12), imm: 0x12345) }
    check("xor ecx, edx", "31d1") { $0.alu(.xor, .dword, .rcx, .rdx) }
    check("xor r8, r9", "4d31c8") { $0.alu(.xor, .qword, .r8, .r9) }
    check("xor bl, sil", "4030f3") { $0.alu(.xor, .byte, .rbx, .rsi) }
    check("xor bx, r10w", "664431d3") { $0.alu(.xor, .word, .rbx, .r10) }
    check("xor rcx, qword ptr [rsp+8]", "48334c2408") { $0.alu(.xor, .qword, .rcx, Address(.rsp, 8)) }
    check("xor cl, byte ptr [rsp]", "320c24") { $0.alu(.xor, .byte, .rcx, Address(.rsp)) }
    check("xor dword ptr [rdi], r9d", "44310f") { $0.alu(.xor, .dword, Address(.rdi), .r9) }
    check("xor byte ptr [rsi], dil", "40303e") { $0.alu(.xor, .byte, Address(.rsi), .rdi) }
    check("xor rbx, 0x7f", "4883f37f") { $0.alu(.xor, .qword, .rbx, imm: 0x7f) }
    check("xor rbx, 0x80", "4881f380000000") { $0.alu(.xor, .qword, .rbx, imm: 0x80) }
    check("xor eax, 0x1000", "3500100000") { $0.alu(.xor, .dword, .rax, imm: 0x1000) }
    check("xor al, 0x12", "3412") { $0.alu(.xor, .byte, .rax, imm: 0x12) }
    check("xor bx, -2", "6683f3fe") { $0.alu(.xor, .word, .rbx, imm: 0xfffe) }
    check("xor bx, 0x1234", "6681f33412") { $0.alu(.xor, .word, .rbx, imm: 0x1234) }
    check("xor qword ptr [rbp-8], 1", "488375f801") { $0.alu(.xor, .qword, Address(.rbp, -8), imm: 1) }
    check("xor word ptr [rbp-8], 0x1234", "668175f83412") { $0.alu(.xor, .word, Address(.rbp, -8), imm: 0x1234) }
    check("xor byte ptr [r13], 0x80", "4180750080") { $0.alu(.xor, .byte, Address(.r13), imm: 0x80) }
    check("xor dword ptr [r12], 0x12345", "4181342445230100") { $0.alu(.xor, .dword, Address(.r12), imm: 0x12345) }
    check("cmp ecx, edx", "39d1") { $0.alu(.cmp, .dword, .rcx, .rdx) }
    check("cmp r8, r9", "4d39c8") { $0.alu(.cmp, .qword, .r8, .r9) }
    check("cmp bl, sil", "4038f3") { $0.alu(.cmp, .byte, .rbx, .rsi) }
    check("cmp bx, r10w", "664439d3") { $0.alu(.cmp, .word, .rbx, .r10) }
    check("cmp rcx, qword ptr [rsp+8]", "483b4c2408") { $0.alu(.cmp, .qword, .rcx, Address(.rsp, 8)) }
    check("cmp cl, byte ptr [rsp]", "3a0c24") { $0.alu(.cmp, .byte, .rcx, Address(.rsp)) }
    check("cmp dword ptr [rdi], r9d", "44390f") { $0.alu(.cmp, .dword, Address(.rdi), .r9) }
    check("cmp byte ptr [rsi], dil", "40383e") { $0.alu(.cmp, .byte, Address(.rsi), .rdi) }
    check("cmp rbx, 0x7f", "4883fb7f") { $0.alu(.cmp, .qword, .rbx, imm: 0x7f) }
    check("cmp rbx, 0x80", "4881fb80000000") { $0.alu(.cmp, .qword, .rbx, imm: 0x80) }
    check("cmp eax, 0x1000", "3d00100000") { $0.alu(.cmp, .dword, .rax, imm: 0x1000) }
    check("cmp al, 0x12", "3c12") { $0.alu(.cmp, .byte, .rax, imm: 0x12) }
    check("cmp bx, -2", "6683fbfe") { $0.alu(.cmp, .word, .rbx, imm: 0xfffe) }
    check("cmp bx, 0x1234", "6681fb3412") { $0.alu(.cmp, .word, .rbx, imm: 0x1234) }
    check("cmp qword ptr [rbp-8], 1", "48837df801") { $0.alu(.cmp, .qword, Address(.rbp, -8), imm: 1) }
    check("cmp word ptr [rbp-8], 0x1234", "66817df83412") { $0.alu(.cmp, .word, Address(.rbp, -8), imm: 0x1234) }
    check("cmp byte ptr [r13], 0x80", "41807d0080") { $0.alu(.cmp, .byte, Address(.r13), imm: 0x80) }
    check("cmp dword ptr [r12], 0x12345", "41813c2445230100") { $0.alu(.cmp, .dword, Address(.r12), imm: 0x12345) }
}

@Test func oneOperandArithmeticMultiplicationAndTestEncodes() {
    check("not sil", "40f6d6") { $0.unary(.not, .byte, .rsi) }
    check("not cx", "66f7d1") { $0.unary(.not, .word, .rcx) }
    check("not r9d", "41f7d1") { $0.unary(.not, .dword, .r9) }
    check("not rax", "48f7d0") { $0.unary(.not, .qword, .rax) }
    check("not byte ptr [rsi]", "f616") { $0.unary(.not, .byte, Address(.rsi)) }
    check("not qword ptr [r8+8]", "49f75008") { $0.unary(.not, .qword, Address(.r8, 8)) }
    check("neg sil", "40f6de") { $0.unary(.neg, .byte, .rsi) }
    check("neg cx", "66f7d9") { $0.unary(.neg, .word, .rcx) }
    check("neg r9d", "41f7d9") { $0.unary(.neg, .dword, .r9) }
    check("neg rax", "48f7d8") { $0.unary(.neg, .qword, .rax) }
    check("neg byte ptr [rsi]", "f61e") { $0.unary(.neg, .byte, Address(.rsi)) }
    check("neg qword ptr [r8+8]", "49f75808") { $0.unary(.neg, .qword, Address(.r8, 8)) }
    check("mul sil", "40f6e6") { $0.unary(.mul, .byte, .rsi) }
    check("mul cx", "66f7e1") { $0.unary(.mul, .word, .rcx) }
    check("mul r9d", "41f7e1") { $0.unary(.mul, .dword, .r9) }
    check("mul rax", "48f7e0") { $0.unary(.mul, .qword, .rax) }
    check("mul byte ptr [rsi]", "f626") { $0.unary(.mul, .byte, Address(.rsi)) }
    check("mul qword ptr [r8+8]", "49f76008") { $0.unary(.mul, .qword, Address(.r8, 8)) }
    check("imul sil", "40f6ee") { $0.unary(.imul, .byte, .rsi) }
    check("imul cx", "66f7e9") { $0.unary(.imul, .word, .rcx) }
    check("imul r9d", "41f7e9") { $0.unary(.imul, .dword, .r9) }
    check("imul rax", "48f7e8") { $0.unary(.imul, .qword, .rax) }
    check("imul byte ptr [rsi]", "f62e") { $0.unary(.imul, .byte, Address(.rsi)) }
    check("imul qword ptr [r8+8]", "49f76808") { $0.unary(.imul, .qword, Address(.r8, 8)) }
    check("div sil", "40f6f6") { $0.unary(.div, .byte, .rsi) }
    check("div cx", "66f7f1") { $0.unary(.div, .word, .rcx) }
    check("div r9d", "41f7f1") { $0.unary(.div, .dword, .r9) }
    check("div rax", "48f7f0") { $0.unary(.div, .qword, .rax) }
    check("div byte ptr [rsi]", "f636") { $0.unary(.div, .byte, Address(.rsi)) }
    check("div qword ptr [r8+8]", "49f77008") { $0.unary(.div, .qword, Address(.r8, 8)) }
    check("idiv sil", "40f6fe") { $0.unary(.idiv, .byte, .rsi) }
    check("idiv cx", "66f7f9") { $0.unary(.idiv, .word, .rcx) }
    check("idiv r9d", "41f7f9") { $0.unary(.idiv, .dword, .r9) }
    check("idiv rax", "48f7f8") { $0.unary(.idiv, .qword, .rax) }
    check("idiv byte ptr [rsi]", "f63e") { $0.unary(.idiv, .byte, Address(.rsi)) }
    check("idiv qword ptr [r8+8]", "49f77808") { $0.unary(.idiv, .qword, Address(.r8, 8)) }
    check("inc sil", "40fec6") { $0.unary(.inc, .byte, .rsi) }
    check("inc cx", "66ffc1") { $0.unary(.inc, .word, .rcx) }
    check("inc r9d", "41ffc1") { $0.unary(.inc, .dword, .r9) }
    check("inc rax", "48ffc0") { $0.unary(.inc, .qword, .rax) }
    check("inc byte ptr [rsi]", "fe06") { $0.unary(.inc, .byte, Address(.rsi)) }
    check("inc qword ptr [r8+8]", "49ff4008") { $0.unary(.inc, .qword, Address(.r8, 8)) }
    check("dec sil", "40fece") { $0.unary(.dec, .byte, .rsi) }
    check("dec cx", "66ffc9") { $0.unary(.dec, .word, .rcx) }
    check("dec r9d", "41ffc9") { $0.unary(.dec, .dword, .r9) }
    check("dec rax", "48ffc8") { $0.unary(.dec, .qword, .rax) }
    check("dec byte ptr [rsi]", "fe0e") { $0.unary(.dec, .byte, Address(.rsi)) }
    check("dec qword ptr [r8+8]", "49ff4808") { $0.unary(.dec, .qword, Address(.r8, 8)) }
    check("imul eax, ecx", "0fafc1") { $0.binary(.imul, .dword, .rax, .rcx) }
    check("imul r8, qword ptr [rsp]", "4c0faf0424") { $0.binary(.imul, .qword, .r8, Address(.rsp)) }
    check("imul r8, r9, 100", "4d6bc164") { $0.imul(.qword, .r8, .r9, imm: 100) }
    check("imul r8d, ecx, 1000", "4469c1e8030000") { $0.imul(.dword, .r8, .rcx, imm: 1000) }
    check("imul cx, dx, 1000", "6669cae803") { $0.imul(.word, .rcx, .rdx, imm: 1000) }
    check("imul rax, qword ptr [rdi], 1000", "486907e8030000") { $0.imul(.qword, .rax, Address(.rdi), imm: 1000) }
    check("imul eax, dword ptr [rdi], -1", "6b07ff") { $0.imul(.dword, .rax, Address(.rdi), imm: -1) }
    check("cwd", "6699") { $0.signIntoRDX(.word) }
    check("cdq", "99") { $0.signIntoRDX(.dword) }
    check("cqo", "4899") { $0.signIntoRDX(.qword) }
    check("test ecx, edx", "85d1") { $0.test(.dword, .rcx, .rdx) }
    check("test sil, sil", "4084f6") { $0.test(.byte, .rsi, .rsi) }
    check("test r9, r10", "4d85d1") { $0.test(.qword, .r9, .r10) }
    check("test al, 1", "a801") { $0.test(.byte, .rax, imm: 1) }
    check("test eax, 0x100", "a900010000") { $0.test(.dword, .rax, imm: 0x100) }
    check("test rax, -16", "48a9f0ffffff") { $0.test(.qword, .rax, imm: -16) }
    check("test dil, 1", "40f6c701") { $0.test(.byte, .rdi, imm: 1) }
    check("test r9w, 0x1234", "6641f7c13412") { $0.test(.word, .r9, imm: 0x1234) }
    check("test rcx, 1", "48f7c101000000") { $0.test(.qword, .rcx, imm: 1) }
    check("test qword ptr [rdi], rsi", "488537") { $0.test(.qword, Address(.rdi), .rsi) }
    check("test byte ptr [rdi], 0x80", "f60780") { $0.test(.byte, Address(.rdi), imm: 0x80) }
    check("test dword ptr [rdi+4], 1", "f7470401000000") { $0.test(.dword, Address(.rdi, 4), imm: 1) }
}

@Test func shiftsAndBitsEncodes() {
    check("rol rbx, 1", "48d1c3") { $0.shift(.rol, .qword, .rbx, imm: 1) }
    check("rol r9d, 31", "41c1c11f") { $0.shift(.rol, .dword, .r9, imm: 31) }
    check("rol sil, 3", "40c0c603") { $0.shift(.rol, .byte, .rsi, imm: 3) }
    check("rol cx, 3", "66c1c103") { $0.shift(.rol, .word, .rcx, imm: 3) }
    check("rol rax, cl", "48d3c0") { $0.shiftByCL(.rol, .qword, .rax) }
    check("rol dword ptr [rsi], 2", "c10602") { $0.shift(.rol, .dword, Address(.rsi), imm: 2) }
    check("rol qword ptr [rsi], cl", "48d306") { $0.shiftByCL(.rol, .qword, Address(.rsi)) }
    check("ror rbx, 1", "48d1cb") { $0.shift(.ror, .qword, .rbx, imm: 1) }
    check("ror r9d, 31", "41c1c91f") { $0.shift(.ror, .dword, .r9, imm: 31) }
    check("ror sil, 3", "40c0ce03") { $0.shift(.ror, .byte, .rsi, imm: 3) }
    check("ror cx, 3", "66c1c903") { $0.shift(.ror, .word, .rcx, imm: 3) }
    check("ror rax, cl", "48d3c8") { $0.shiftByCL(.ror, .qword, .rax) }
    check("ror dword ptr [rsi], 2", "c10e02") { $0.shift(.ror, .dword, Address(.rsi), imm: 2) }
    check("ror qword ptr [rsi], cl", "48d30e") { $0.shiftByCL(.ror, .qword, Address(.rsi)) }
    check("rcl rbx, 1", "48d1d3") { $0.shift(.rcl, .qword, .rbx, imm: 1) }
    check("rcl r9d, 31", "41c1d11f") { $0.shift(.rcl, .dword, .r9, imm: 31) }
    check("rcl sil, 3", "40c0d603") { $0.shift(.rcl, .byte, .rsi, imm: 3) }
    check("rcl cx, 3", "66c1d103") { $0.shift(.rcl, .word, .rcx, imm: 3) }
    check("rcl rax, cl", "48d3d0") { $0.shiftByCL(.rcl, .qword, .rax) }
    check("rcl dword ptr [rsi], 2", "c11602") { $0.shift(.rcl, .dword, Address(.rsi), imm: 2) }
    check("rcl qword ptr [rsi], cl", "48d316") { $0.shiftByCL(.rcl, .qword, Address(.rsi)) }
    check("rcr rbx, 1", "48d1db") { $0.shift(.rcr, .qword, .rbx, imm: 1) }
    check("rcr r9d, 31", "41c1d91f") { $0.shift(.rcr, .dword, .r9, imm: 31) }
    check("rcr sil, 3", "40c0de03") { $0.shift(.rcr, .byte, .rsi, imm: 3) }
    check("rcr cx, 3", "66c1d903") { $0.shift(.rcr, .word, .rcx, imm: 3) }
    check("rcr rax, cl", "48d3d8") { $0.shiftByCL(.rcr, .qword, .rax) }
    check("rcr dword ptr [rsi], 2", "c11e02") { $0.shift(.rcr, .dword, Address(.rsi), imm: 2) }
    check("rcr qword ptr [rsi], cl", "48d31e") { $0.shiftByCL(.rcr, .qword, Address(.rsi)) }
    check("shl rbx, 1", "48d1e3") { $0.shift(.shl, .qword, .rbx, imm: 1) }
    check("shl r9d, 31", "41c1e11f") { $0.shift(.shl, .dword, .r9, imm: 31) }
    check("shl sil, 3", "40c0e603") { $0.shift(.shl, .byte, .rsi, imm: 3) }
    check("shl cx, 3", "66c1e103") { $0.shift(.shl, .word, .rcx, imm: 3) }
    check("shl rax, cl", "48d3e0") { $0.shiftByCL(.shl, .qword, .rax) }
    check("shl dword ptr [rsi], 2", "c12602") { $0.shift(.shl, .dword, Address(.rsi), imm: 2) }
    check("shl qword ptr [rsi], cl", "48d326") { $0.shiftByCL(.shl, .qword, Address(.rsi)) }
    check("shr rbx, 1", "48d1eb") { $0.shift(.shr, .qword, .rbx, imm: 1) }
    check("shr r9d, 31", "41c1e91f") { $0.shift(.shr, .dword, .r9, imm: 31) }
    check("shr sil, 3", "40c0ee03") { $0.shift(.shr, .byte, .rsi, imm: 3) }
    check("shr cx, 3", "66c1e903") { $0.shift(.shr, .word, .rcx, imm: 3) }
    check("shr rax, cl", "48d3e8") { $0.shiftByCL(.shr, .qword, .rax) }
    check("shr dword ptr [rsi], 2", "c12e02") { $0.shift(.shr, .dword, Address(.rsi), imm: 2) }
    check("shr qword ptr [rsi], cl", "48d32e") { $0.shiftByCL(.shr, .qword, Address(.rsi)) }
    check("sar rbx, 1", "48d1fb") { $0.shift(.sar, .qword, .rbx, imm: 1) }
    check("sar r9d, 31", "41c1f91f") { $0.shift(.sar, .dword, .r9, imm: 31) }
    check("sar sil, 3", "40c0fe03") { $0.shift(.sar, .byte, .rsi, imm: 3) }
    check("sar cx, 3", "66c1f903") { $0.shift(.sar, .word, .rcx, imm: 3) }
    check("sar rax, cl", "48d3f8") { $0.shiftByCL(.sar, .qword, .rax) }
    check("sar dword ptr [rsi], 2", "c13e02") { $0.shift(.sar, .dword, Address(.rsi), imm: 2) }
    check("sar qword ptr [rsi], cl", "48d33e") { $0.shiftByCL(.sar, .qword, Address(.rsi)) }
    check("shld rax, rcx, 5", "480fa4c805") { $0.shld(.qword, .rax, .rcx, imm: 5) }
    check("shrd r8d, r9d, 31", "450facc81f") { $0.shrd(.dword, .r8, .r9, imm: 31) }
    check("shlx rax, rcx, rdx", "c4e2e9f7c1") { $0.bmi(.shlx, .qword, .rax, .rcx, .rdx) }
    check("shrx r8d, r9d, r10d", "c4422bf7c1") { $0.bmi(.shrx, .dword, .r8, .r9, .r10) }
    check("sarx rax, qword ptr [rsi], rdx", "c4e2eaf706") { $0.bmi(.sarx, .qword, .rax, Address(.rsi), .rdx) }
    check("bextr eax, ecx, edx", "c4e268f7c1") { $0.bmi(.bextr, .dword, .rax, .rcx, .rdx) }
    check("bzhi rax, rcx, rdx", "c4e2e8f5c1") { $0.bmi(.bzhi, .qword, .rax, .rcx, .rdx) }
    check("andn eax, ecx, dword ptr [r9+r10*1]", "c48270f20411") {
        $0.bmi(.andn, .dword, .rax, .rcx, Address(.r9, index: .r10))
    }
    check("pdep rax, rcx, rdx", "c4e2f3f5c2") { $0.bmi(.pdep, .qword, .rax, .rcx, .rdx) }
    check("pext eax, ecx, edx", "c4e272f5c2") { $0.bmi(.pext, .dword, .rax, .rcx, .rdx) }
    check("mulx rax, rcx, rdx", "c4e2f3f6c2") { $0.bmi(.mulx, .qword, .rax, .rcx, .rdx) }
    check("mulx eax, ecx, dword ptr [rdi]", "c4e273f607") { $0.bmi(.mulx, .dword, .rax, .rcx, Address(.rdi)) }
    check("blsr eax, ecx", "c4e278f3c9") { $0.bmi(.blsr, .dword, .rax, .rcx) }
    check("blsi rax, qword ptr [rcx]", "c4e2f8f319") { $0.bmi(.blsi, .qword, .rax, Address(.rcx)) }
    check("blsmsk r9, r10", "c4c2b0f3d2") { $0.bmi(.blsmsk, .qword, .r9, .r10) }
    check("rorx rax, rcx, 63", "c4e3fbf0c13f") { $0.rorx(.qword, .rax, .rcx, imm: 63) }
    check("rorx eax, dword ptr [rcx], 5", "c4e37bf00105") { $0.rorx(.dword, .rax, Address(.rcx), imm: 5) }
    check("bsf eax, ecx", "0fbcc1") { $0.binary(.bsf, .dword, .rax, .rcx) }
    check("bsr rax, rcx", "480fbdc1") { $0.binary(.bsr, .qword, .rax, .rcx) }
    check("tzcnt ax, cx", "66f30fbcc1") { $0.binary(.tzcnt, .word, .rax, .rcx) }
    check("tzcnt rax, r9", "f3490fbcc1") { $0.binary(.tzcnt, .qword, .rax, .r9) }
    check("lzcnt r8d, ecx", "f3440fbdc1") { $0.binary(.lzcnt, .dword, .r8, .rcx) }
    check("lzcnt rax, qword ptr [rsi]", "f3480fbd06") { $0.binary(.lzcnt, .qword, .rax, Address(.rsi)) }
    check("popcnt ax, cx", "66f30fb8c1") { $0.binary(.popcnt, .word, .rax, .rcx) }
    check("bt rax, 63", "480fbae03f") { $0.bitTest(.bt, .qword, .rax, imm: 63) }
    check("bt r9d, ecx", "410fa3c9") { $0.bitTest(.bt, .dword, .r9, .rcx) }
    check("bt word ptr [rsi], 3", "660fba2603") { $0.bitTest(.bt, .word, Address(.rsi), imm: 3) }
    check("bts rax, 63", "480fbae83f") { $0.bitTest(.bts, .qword, .rax, imm: 63) }
    check("bts r9d, ecx", "410fabc9") { $0.bitTest(.bts, .dword, .r9, .rcx) }
    check("bts word ptr [rsi], 3", "660fba2e03") { $0.bitTest(.bts, .word, Address(.rsi), imm: 3) }
    check("btr rax, 63", "480fbaf03f") { $0.bitTest(.btr, .qword, .rax, imm: 63) }
    check("btr r9d, ecx", "410fb3c9") { $0.bitTest(.btr, .dword, .r9, .rcx) }
    check("btr word ptr [rsi], 3", "660fba3603") { $0.bitTest(.btr, .word, Address(.rsi), imm: 3) }
    check("btc rax, 63", "480fbaf83f") { $0.bitTest(.btc, .qword, .rax, imm: 63) }
    check("btc r9d, ecx", "410fbbc9") { $0.bitTest(.btc, .dword, .r9, .rcx) }
    check("btc word ptr [rsi], 3", "660fba3e03") { $0.bitTest(.btc, .word, Address(.rsi), imm: 3) }
    check("seto cl", "0f90c1") { $0.set(.o, .rcx) }
    check("cmovo rax, r9", "490f40c1") { $0.binary(.cmov(.o), .qword, .rax, .r9) }
    check("setno cl", "0f91c1") { $0.set(.no, .rcx) }
    check("cmovno rax, r9", "490f41c1") { $0.binary(.cmov(.no), .qword, .rax, .r9) }
    check("setb cl", "0f92c1") { $0.set(.b, .rcx) }
    check("cmovb rax, r9", "490f42c1") { $0.binary(.cmov(.b), .qword, .rax, .r9) }
    check("setae cl", "0f93c1") { $0.set(.ae, .rcx) }
    check("cmovae rax, r9", "490f43c1") { $0.binary(.cmov(.ae), .qword, .rax, .r9) }
    check("sete cl", "0f94c1") { $0.set(.e, .rcx) }
    check("cmove rax, r9", "490f44c1") { $0.binary(.cmov(.e), .qword, .rax, .r9) }
    check("setne cl", "0f95c1") { $0.set(.ne, .rcx) }
    check("cmovne rax, r9", "490f45c1") { $0.binary(.cmov(.ne), .qword, .rax, .r9) }
    check("setbe cl", "0f96c1") { $0.set(.be, .rcx) }
    check("cmovbe rax, r9", "490f46c1") { $0.binary(.cmov(.be), .qword, .rax, .r9) }
    check("seta cl", "0f97c1") { $0.set(.a, .rcx) }
    check("cmova rax, r9", "490f47c1") { $0.binary(.cmov(.a), .qword, .rax, .r9) }
    check("sets cl", "0f98c1") { $0.set(.s, .rcx) }
    check("cmovs rax, r9", "490f48c1") { $0.binary(.cmov(.s), .qword, .rax, .r9) }
    check("setns cl", "0f99c1") { $0.set(.ns, .rcx) }
    check("cmovns rax, r9", "490f49c1") { $0.binary(.cmov(.ns), .qword, .rax, .r9) }
    check("setp cl", "0f9ac1") { $0.set(.p, .rcx) }
    check("cmovp rax, r9", "490f4ac1") { $0.binary(.cmov(.p), .qword, .rax, .r9) }
    check("setnp cl", "0f9bc1") { $0.set(.np, .rcx) }
    check("cmovnp rax, r9", "490f4bc1") { $0.binary(.cmov(.np), .qword, .rax, .r9) }
    check("setl cl", "0f9cc1") { $0.set(.l, .rcx) }
    check("cmovl rax, r9", "490f4cc1") { $0.binary(.cmov(.l), .qword, .rax, .r9) }
    check("setge cl", "0f9dc1") { $0.set(.ge, .rcx) }
    check("cmovge rax, r9", "490f4dc1") { $0.binary(.cmov(.ge), .qword, .rax, .r9) }
    check("setle cl", "0f9ec1") { $0.set(.le, .rcx) }
    check("cmovle rax, r9", "490f4ec1") { $0.binary(.cmov(.le), .qword, .rax, .r9) }
    check("setg cl", "0f9fc1") { $0.set(.g, .rcx) }
    check("cmovg rax, r9", "490f4fc1") { $0.binary(.cmov(.g), .qword, .rax, .r9) }
    check("setl byte ptr [rbp]", "0f9c4500") { $0.set(.l, Address(.rbp)) }
    check("cmovg eax, dword ptr [rsi]", "0f4f06") { $0.binary(.cmov(.g), .dword, .rax, Address(.rsi)) }
}

@Test func atomicsAndSystemEncodes() {
    check("lock add dword ptr [rsi], ecx", "f0010e") { $0.lockALU(.add, .dword, Address(.rsi), .rcx) }
    check("lock add word ptr [r8], 0x1234", "66f04181003412") { $0.lockALU(.add, .word, Address(.r8), imm: 0x1234) }
    check("lock add qword ptr [rsi], 1", "f048830601") { $0.lockALU(.add, .qword, Address(.rsi), imm: 1) }
    check("lock or dword ptr [rsi], ecx", "f0090e") { $0.lockALU(.or, .dword, Address(.rsi), .rcx) }
    check("lock or word ptr [r8], 0x1234", "66f04181083412") { $0.lockALU(.or, .word, Address(.r8), imm: 0x1234) }
    check("lock or qword ptr [rsi], 1", "f048830e01") { $0.lockALU(.or, .qword, Address(.rsi), imm: 1) }
    check("lock and dword ptr [rsi], ecx", "f0210e") { $0.lockALU(.and, .dword, Address(.rsi), .rcx) }
    check("lock and word ptr [r8], 0x1234", "66f04181203412") { $0.lockALU(.and, .word, Address(.r8), imm: 0x1234) }
    check("lock and qword ptr [rsi], 1", "f048832601") { $0.lockALU(.and, .qword, Address(.rsi), imm: 1) }
    check("lock sub dword ptr [rsi], ecx", "f0290e") { $0.lockALU(.sub, .dword, Address(.rsi), .rcx) }
    check("lock sub word ptr [r8], 0x1234", "66f04181283412") { $0.lockALU(.sub, .word, Address(.r8), imm: 0x1234) }
    check("lock sub qword ptr [rsi], 1", "f048832e01") { $0.lockALU(.sub, .qword, Address(.rsi), imm: 1) }
    check("lock xor dword ptr [rsi], ecx", "f0310e") { $0.lockALU(.xor, .dword, Address(.rsi), .rcx) }
    check("lock xor word ptr [r8], 0x1234", "66f04181303412") { $0.lockALU(.xor, .word, Address(.r8), imm: 0x1234) }
    check("lock xor qword ptr [rsi], 1", "f048833601") { $0.lockALU(.xor, .qword, Address(.rsi), imm: 1) }
    check("lock inc dword ptr [rsi]", "f0ff06") { $0.lockUnary(.inc, .dword, Address(.rsi)) }
    check("lock neg byte ptr [rsi]", "f0f61e") { $0.lockUnary(.neg, .byte, Address(.rsi)) }
    check("lock bts qword ptr [rsi], 5", "f0480fba2e05") { $0.lockBitTest(.bts, .qword, Address(.rsi), imm: 5) }
    check("lock xadd byte ptr [rsi], dil", "f0400fc03e") { $0.lockXadd(.byte, Address(.rsi), .rdi) }
    check("lock xadd word ptr [rsi], r9w", "66f0440fc10e") { $0.lockXadd(.word, Address(.rsi), .r9) }
    check("lock xadd qword ptr [rsi], rax", "f0480fc106") { $0.lockXadd(.qword, Address(.rsi), .rax) }
    check("lock cmpxchg byte ptr [rsi], cl", "f00fb00e") { $0.lockCmpxchg(.byte, Address(.rsi), .rcx) }
    check("lock cmpxchg word ptr [rsi], cx", "66f00fb10e") { $0.lockCmpxchg(.word, Address(.rsi), .rcx) }
    check("lock cmpxchg dword ptr [r9], ecx", "f0410fb109") { $0.lockCmpxchg(.dword, Address(.r9), .rcx) }
    check("lock cmpxchg qword ptr [rsi+r9*2], r10", "f04e0fb1144e") {
        $0.lockCmpxchg(.qword, Address(.rsi, index: .r9, .x2), .r10)
    }
    check("lock cmpxchg16b xmmword ptr [rdi]", "f0480fc70f") { $0.lockCmpxchg16b(Address(.rdi)) }
    check("lock cmpxchg16b xmmword ptr [r12+16]", "f0490fc74c2410") { $0.lockCmpxchg16b(Address(.r12, 16)) }
    check("mfence", "0faef0") { $0.mfence() }
    check("lfence", "0faee8") { $0.lfence() }
    check("sfence", "0faef8") { $0.sfence() }
    check("pause", "f390") { $0.pause() }
    check("ud2", "0f0b") { $0.ud2() }
    check("int3", "cc") { $0.int3() }
    check("rdtsc", "0f31") { $0.rdtsc() }
    check("rep movsb", "f3a4") { $0.repMovsb() }
    check("rep stosb", "f3aa") { $0.repStosb() }
    check("ret", "c3") { $0.ret() }
    check("jmp qword ptr [rdi+8]", "ff6708") { $0.jmp(Address(.rdi, 8)) }
    check("vzeroupper", "c5f877") { $0.vzeroupper() }
}
