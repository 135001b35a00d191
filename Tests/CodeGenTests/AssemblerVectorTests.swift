// Floating-point and vector instructions as text, bytes and call, side by side.
// Expectations are what GNU as 2.40 makes of the text; `check` is in AssemblerTests.swift.

import CodeGenX64
import Testing

@Test func floatingPointEncodes() {
    check("vaddss xmm1, xmm2, xmm3", "c5ea58cb") { $0.rvm(.vadd(.ss), .xmm1, .xmm2, .xmm3) }
    check("vmulss xmm1, xmm2, xmm3", "c5ea59cb") { $0.rvm(.vmul(.ss), .xmm1, .xmm2, .xmm3) }
    check("vsubss xmm1, xmm2, xmm3", "c5ea5ccb") { $0.rvm(.vsub(.ss), .xmm1, .xmm2, .xmm3) }
    check("vminss xmm1, xmm2, xmm3", "c5ea5dcb") { $0.rvm(.vmin(.ss), .xmm1, .xmm2, .xmm3) }
    check("vdivss xmm1, xmm2, xmm3", "c5ea5ecb") { $0.rvm(.vdiv(.ss), .xmm1, .xmm2, .xmm3) }
    check("vmaxss xmm1, xmm2, xmm3", "c5ea5fcb") { $0.rvm(.vmax(.ss), .xmm1, .xmm2, .xmm3) }
    check("vfmadd132ss xmm1, xmm2, xmm3", "c4e26999cb") { $0.rvm(.vfmadd(.o132, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfmsub132ss xmm1, xmm2, xmm3", "c4e2699bcb") { $0.rvm(.vfmsub(.o132, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd132ss xmm1, xmm2, xmm3", "c4e2699dcb") { $0.rvm(.vfnmadd(.o132, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub132ss xmm1, xmm2, xmm3", "c4e2699fcb") { $0.rvm(.vfnmsub(.o132, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfmadd213ss xmm1, xmm2, xmm3", "c4e269a9cb") { $0.rvm(.vfmadd(.o213, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfmsub213ss xmm1, xmm2, xmm3", "c4e269abcb") { $0.rvm(.vfmsub(.o213, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd213ss xmm1, xmm2, xmm3", "c4e269adcb") { $0.rvm(.vfnmadd(.o213, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub213ss xmm1, xmm2, xmm3", "c4e269afcb") { $0.rvm(.vfnmsub(.o213, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfmadd231ss xmm1, xmm2, xmm3", "c4e269b9cb") { $0.rvm(.vfmadd(.o231, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfmsub231ss xmm1, xmm2, xmm3", "c4e269bbcb") { $0.rvm(.vfmsub(.o231, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd231ss xmm1, xmm2, xmm3", "c4e269bdcb") { $0.rvm(.vfnmadd(.o231, .ss), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub231ss xmm1, xmm2, xmm3", "c4e269bfcb") { $0.rvm(.vfnmsub(.o231, .ss), .xmm1, .xmm2, .xmm3) }
    check("vcmpss xmm1, xmm2, xmm3, 7", "c5eac2cb07") { $0.rvmi(.vcmp(.ss), .xmm1, .xmm2, .xmm3, imm: 7) }
    check("vaddsd xmm1, xmm2, xmm3", "c5eb58cb") { $0.rvm(.vadd(.sd), .xmm1, .xmm2, .xmm3) }
    check("vmulsd xmm1, xmm2, xmm3", "c5eb59cb") { $0.rvm(.vmul(.sd), .xmm1, .xmm2, .xmm3) }
    check("vsubsd xmm1, xmm2, xmm3", "c5eb5ccb") { $0.rvm(.vsub(.sd), .xmm1, .xmm2, .xmm3) }
    check("vminsd xmm1, xmm2, xmm3", "c5eb5dcb") { $0.rvm(.vmin(.sd), .xmm1, .xmm2, .xmm3) }
    check("vdivsd xmm1, xmm2, xmm3", "c5eb5ecb") { $0.rvm(.vdiv(.sd), .xmm1, .xmm2, .xmm3) }
    check("vmaxsd xmm1, xmm2, xmm3", "c5eb5fcb") { $0.rvm(.vmax(.sd), .xmm1, .xmm2, .xmm3) }
    check("vfmadd132sd xmm1, xmm2, xmm3", "c4e2e999cb") { $0.rvm(.vfmadd(.o132, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfmsub132sd xmm1, xmm2, xmm3", "c4e2e99bcb") { $0.rvm(.vfmsub(.o132, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd132sd xmm1, xmm2, xmm3", "c4e2e99dcb") { $0.rvm(.vfnmadd(.o132, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub132sd xmm1, xmm2, xmm3", "c4e2e99fcb") { $0.rvm(.vfnmsub(.o132, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfmadd213sd xmm1, xmm2, xmm3", "c4e2e9a9cb") { $0.rvm(.vfmadd(.o213, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfmsub213sd xmm1, xmm2, xmm3", "c4e2e9abcb") { $0.rvm(.vfmsub(.o213, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd213sd xmm1, xmm2, xmm3", "c4e2e9adcb") { $0.rvm(.vfnmadd(.o213, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub213sd xmm1, xmm2, xmm3", "c4e2e9afcb") { $0.rvm(.vfnmsub(.o213, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfmadd231sd xmm1, xmm2, xmm3", "c4e2e9b9cb") { $0.rvm(.vfmadd(.o231, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfmsub231sd xmm1, xmm2, xmm3", "c4e2e9bbcb") { $0.rvm(.vfmsub(.o231, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd231sd xmm1, xmm2, xmm3", "c4e2e9bdcb") { $0.rvm(.vfnmadd(.o231, .sd), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub231sd xmm1, xmm2, xmm3", "c4e2e9bfcb") { $0.rvm(.vfnmsub(.o231, .sd), .xmm1, .xmm2, .xmm3) }
    check("vcmpsd xmm1, xmm2, xmm3, 7", "c5ebc2cb07") { $0.rvmi(.vcmp(.sd), .xmm1, .xmm2, .xmm3, imm: 7) }
    check("vaddps xmm1, xmm2, xmm3", "c5e858cb") { $0.rvm(.vadd(.ps), .xmm1, .xmm2, .xmm3) }
    check("vmulps xmm1, xmm2, xmm3", "c5e859cb") { $0.rvm(.vmul(.ps), .xmm1, .xmm2, .xmm3) }
    check("vsubps xmm1, xmm2, xmm3", "c5e85ccb") { $0.rvm(.vsub(.ps), .xmm1, .xmm2, .xmm3) }
    check("vminps xmm1, xmm2, xmm3", "c5e85dcb") { $0.rvm(.vmin(.ps), .xmm1, .xmm2, .xmm3) }
    check("vdivps xmm1, xmm2, xmm3", "c5e85ecb") { $0.rvm(.vdiv(.ps), .xmm1, .xmm2, .xmm3) }
    check("vmaxps xmm1, xmm2, xmm3", "c5e85fcb") { $0.rvm(.vmax(.ps), .xmm1, .xmm2, .xmm3) }
    check("vfmadd132ps xmm1, xmm2, xmm3", "c4e26998cb") { $0.rvm(.vfmadd(.o132, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfmsub132ps xmm1, xmm2, xmm3", "c4e2699acb") { $0.rvm(.vfmsub(.o132, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd132ps xmm1, xmm2, xmm3", "c4e2699ccb") { $0.rvm(.vfnmadd(.o132, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub132ps xmm1, xmm2, xmm3", "c4e2699ecb") { $0.rvm(.vfnmsub(.o132, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfmadd213ps xmm1, xmm2, xmm3", "c4e269a8cb") { $0.rvm(.vfmadd(.o213, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfmsub213ps xmm1, xmm2, xmm3", "c4e269aacb") { $0.rvm(.vfmsub(.o213, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd213ps xmm1, xmm2, xmm3", "c4e269accb") { $0.rvm(.vfnmadd(.o213, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub213ps xmm1, xmm2, xmm3", "c4e269aecb") { $0.rvm(.vfnmsub(.o213, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfmadd231ps xmm1, xmm2, xmm3", "c4e269b8cb") { $0.rvm(.vfmadd(.o231, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfmsub231ps xmm1, xmm2, xmm3", "c4e269bacb") { $0.rvm(.vfmsub(.o231, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd231ps xmm1, xmm2, xmm3", "c4e269bccb") { $0.rvm(.vfnmadd(.o231, .ps), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub231ps xmm1, xmm2, xmm3", "c4e269becb") { $0.rvm(.vfnmsub(.o231, .ps), .xmm1, .xmm2, .xmm3) }
    check("vcmpps xmm1, xmm2, xmm3, 7", "c5e8c2cb07") { $0.rvmi(.vcmp(.ps), .xmm1, .xmm2, .xmm3, imm: 7) }
    check("vaddpd xmm1, xmm2, xmm3", "c5e958cb") { $0.rvm(.vadd(.pd), .xmm1, .xmm2, .xmm3) }
    check("vmulpd xmm1, xmm2, xmm3", "c5e959cb") { $0.rvm(.vmul(.pd), .xmm1, .xmm2, .xmm3) }
    check("vsubpd xmm1, xmm2, xmm3", "c5e95ccb") { $0.rvm(.vsub(.pd), .xmm1, .xmm2, .xmm3) }
    check("vminpd xmm1, xmm2, xmm3", "c5e95dcb") { $0.rvm(.vmin(.pd), .xmm1, .xmm2, .xmm3) }
    check("vdivpd xmm1, xmm2, xmm3", "c5e95ecb") { $0.rvm(.vdiv(.pd), .xmm1, .xmm2, .xmm3) }
    check("vmaxpd xmm1, xmm2, xmm3", "c5e95fcb") { $0.rvm(.vmax(.pd), .xmm1, .xmm2, .xmm3) }
    check("vfmadd132pd xmm1, xmm2, xmm3", "c4e2e998cb") { $0.rvm(.vfmadd(.o132, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfmsub132pd xmm1, xmm2, xmm3", "c4e2e99acb") { $0.rvm(.vfmsub(.o132, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd132pd xmm1, xmm2, xmm3", "c4e2e99ccb") { $0.rvm(.vfnmadd(.o132, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub132pd xmm1, xmm2, xmm3", "c4e2e99ecb") { $0.rvm(.vfnmsub(.o132, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfmadd213pd xmm1, xmm2, xmm3", "c4e2e9a8cb") { $0.rvm(.vfmadd(.o213, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfmsub213pd xmm1, xmm2, xmm3", "c4e2e9aacb") { $0.rvm(.vfmsub(.o213, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd213pd xmm1, xmm2, xmm3", "c4e2e9accb") { $0.rvm(.vfnmadd(.o213, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub213pd xmm1, xmm2, xmm3", "c4e2e9aecb") { $0.rvm(.vfnmsub(.o213, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfmadd231pd xmm1, xmm2, xmm3", "c4e2e9b8cb") { $0.rvm(.vfmadd(.o231, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfmsub231pd xmm1, xmm2, xmm3", "c4e2e9bacb") { $0.rvm(.vfmsub(.o231, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfnmadd231pd xmm1, xmm2, xmm3", "c4e2e9bccb") { $0.rvm(.vfnmadd(.o231, .pd), .xmm1, .xmm2, .xmm3) }
    check("vfnmsub231pd xmm1, xmm2, xmm3", "c4e2e9becb") { $0.rvm(.vfnmsub(.o231, .pd), .xmm1, .xmm2, .xmm3) }
    check("vcmppd xmm1, xmm2, xmm3, 7", "c5e9c2cb07") { $0.rvmi(.vcmp(.pd), .xmm1, .xmm2, .xmm3, imm: 7) }
    check("vsqrtss xmm1, xmm2, xmm3", "c5ea51cb") { $0.rvm(.vsqrt(.ss), .xmm1, .xmm2, .xmm3) }
    check("vaddss xmm1, xmm2, dword ptr [rsi+rdi*1]", "c5ea580c3e") {
        $0.rvm(.vadd(.ss), .xmm1, .xmm2, Address(.rsi, index: .rdi))
    }
    check("vfmadd231ss xmm1, xmm2, dword ptr [rsi]", "c4e269b90e") {
        $0.rvm(.vfmadd(.o231, .ss), .xmm1, .xmm2, Address(.rsi))
    }
    check("vroundss xmm1, xmm2, xmm3, 11", "c4e3690acb0b") { $0.rvmi(.vround(.ss), .xmm1, .xmm2, .xmm3, imm: 11) }
    check("vucomiss xmm1, xmm9", "c4c1782ec9") { $0.rm(.vucomi(.ss), .xmm1, .xmm9) }
    check("vcomiss xmm9, xmm1", "c5782fc9") { $0.rm(.vcomi(.ss), .xmm9, .xmm1) }
    check("vucomiss xmm1, dword ptr [rax]", "c5f82e08") { $0.rm(.vucomi(.ss), .xmm1, Address(.rax)) }
    check("vmovss xmm1, xmm2, xmm3", "c5ea10cb") { $0.rvm(.vmovss, .xmm1, .xmm2, .xmm3) }
    check("vmovss xmm9, dword ptr [rax]", "c57a1008") { $0.vmov(.vmovss, .xmm9, Address(.rax)) }
    check("vmovss dword ptr [rax], xmm9", "c57a1108") { $0.vmov(.vmovss, Address(.rax), .xmm9) }
    check("vcvtsi2ss xmm1, xmm2, eax", "c5ea2ac8") { $0.vcvtsi2(.ss, .dword, .xmm1, .xmm2, .rax) }
    check("vcvtsi2ss xmm1, xmm2, r9", "c4c1ea2ac9") { $0.vcvtsi2(.ss, .qword, .xmm1, .xmm2, .r9) }
    check("vcvtsi2ss xmm1, xmm2, qword ptr [r9]", "c4c1ea2a09") { $0.vcvtsi2(.ss, .qword, .xmm1, .xmm2, Address(.r9)) }
    check("vcvtss2si eax, xmm9", "c4c17a2dc1") { $0.toInt(.vcvt2si(.ss), .dword, .rax, .xmm9) }
    check("vcvtss2si r9, xmm1", "c461fa2dc9") { $0.toInt(.vcvt2si(.ss), .qword, .r9, .xmm1) }
    check("vcvttss2si eax, xmm9", "c4c17a2cc1") { $0.toInt(.vcvtt2si(.ss), .dword, .rax, .xmm9) }
    check("vcvttss2si r9, dword ptr [rsi]", "c461fa2c0e") { $0.toInt(.vcvtt2si(.ss), .qword, .r9, Address(.rsi)) }
    check("vsqrtsd xmm1, xmm2, xmm3", "c5eb51cb") { $0.rvm(.vsqrt(.sd), .xmm1, .xmm2, .xmm3) }
    check("vaddsd xmm1, xmm2, qword ptr [rsi+rdi*1]", "c5eb580c3e") {
        $0.rvm(.vadd(.sd), .xmm1, .xmm2, Address(.rsi, index: .rdi))
    }
    check("vfmadd231sd xmm1, xmm2, qword ptr [rsi]", "c4e2e9b90e") {
        $0.rvm(.vfmadd(.o231, .sd), .xmm1, .xmm2, Address(.rsi))
    }
    check("vroundsd xmm1, xmm2, xmm3, 11", "c4e3690bcb0b") { $0.rvmi(.vround(.sd), .xmm1, .xmm2, .xmm3, imm: 11) }
    check("vucomisd xmm1, xmm9", "c4c1792ec9") { $0.rm(.vucomi(.sd), .xmm1, .xmm9) }
    check("vcomisd xmm9, xmm1", "c5792fc9") { $0.rm(.vcomi(.sd), .xmm9, .xmm1) }
    check("vucomisd xmm1, qword ptr [rax]", "c5f92e08") { $0.rm(.vucomi(.sd), .xmm1, Address(.rax)) }
    check("vmovsd xmm1, xmm2, xmm3", "c5eb10cb") { $0.rvm(.vmovsd, .xmm1, .xmm2, .xmm3) }
    check("vmovsd xmm9, qword ptr [rax]", "c57b1008") { $0.vmov(.vmovsd, .xmm9, Address(.rax)) }
    check("vmovsd qword ptr [rax], xmm9", "c57b1108") { $0.vmov(.vmovsd, Address(.rax), .xmm9) }
    check("vcvtsi2sd xmm1, xmm2, eax", "c5eb2ac8") { $0.vcvtsi2(.sd, .dword, .xmm1, .xmm2, .rax) }
    check("vcvtsi2sd xmm1, xmm2, r9", "c4c1eb2ac9") { $0.vcvtsi2(.sd, .qword, .xmm1, .xmm2, .r9) }
    check("vcvtsi2sd xmm1, xmm2, qword ptr [r9]", "c4c1eb2a09") { $0.vcvtsi2(.sd, .qword, .xmm1, .xmm2, Address(.r9)) }
    check("vcvtsd2si eax, xmm9", "c4c17b2dc1") { $0.toInt(.vcvt2si(.sd), .dword, .rax, .xmm9) }
    check("vcvtsd2si r9, xmm1", "c461fb2dc9") { $0.toInt(.vcvt2si(.sd), .qword, .r9, .xmm1) }
    check("vcvttsd2si eax, xmm9", "c4c17b2cc1") { $0.toInt(.vcvtt2si(.sd), .dword, .rax, .xmm9) }
    check("vcvttsd2si r9, qword ptr [rsi]", "c461fb2c0e") { $0.toInt(.vcvtt2si(.sd), .qword, .r9, Address(.rsi)) }
    check("vandps xmm1, xmm2, xmm3", "c5e854cb") { $0.rvm(.vand(.ps), .xmm1, .xmm2, .xmm3) }
    check("vandnps xmm1, xmm2, xmm3", "c5e855cb") { $0.rvm(.vandn(.ps), .xmm1, .xmm2, .xmm3) }
    check("vorps xmm1, xmm2, xmm3", "c5e856cb") { $0.rvm(.vor(.ps), .xmm1, .xmm2, .xmm3) }
    check("vxorps xmm1, xmm2, xmm3", "c5e857cb") { $0.rvm(.vxor(.ps), .xmm1, .xmm2, .xmm3) }
    check("vunpcklps xmm1, xmm2, xmm3", "c5e814cb") { $0.rvm(.vunpckl(.ps), .xmm1, .xmm2, .xmm3) }
    check("vunpckhps xmm1, xmm2, xmm3", "c5e815cb") { $0.rvm(.vunpckh(.ps), .xmm1, .xmm2, .xmm3) }
    check("vsqrtps xmm1, xmm2", "c5f851ca") { $0.rm(.vsqrt(.ps), .xmm1, .xmm2) }
    check("vroundps xmm1, xmm2, 3", "c4e37908ca03") { $0.rmi(.vround(.ps), .xmm1, .xmm2, imm: 3) }
    check("vaddps ymm1, ymm2, ymm3", "c5ec58cb") { $0.rvm(.vadd(.ps).ymm, .xmm1, .xmm2, .xmm3) }
    check("vshufps xmm1, xmm2, xmm3, 1", "c5e8c6cb01") { $0.rvmi(.vshuf(.ps), .xmm1, .xmm2, .xmm3, imm: 1) }
    check("vmovmskps eax, xmm1", "c5f850c1") { $0.vmovmsk(.ps, .rax, .xmm1) }
    check("vblendvps xmm1, xmm2, xmmword ptr [rsi], xmm4", "c4e3694a0e40") {
        $0.rvmr(.vblendvps, .xmm1, .xmm2, Address(.rsi), .xmm4)
    }
    check("vblendps xmm1, xmm2, xmm3, 1", "c4e3690ccb01") { $0.rvmi(.vblendps, .xmm1, .xmm2, .xmm3, imm: 1) }
    check("vmovaps xmm1, xmm2", "c5f828ca") { $0.vmov(.vmovaps, .xmm1, .xmm2) }
    check("vmovaps xmm1, xmmword ptr [rsi]", "c5f8280e") { $0.vmov(.vmovaps, .xmm1, Address(.rsi)) }
    check("vmovaps xmmword ptr [rsi], xmm1", "c5f8290e") { $0.vmov(.vmovaps, Address(.rsi), .xmm1) }
    check("vmovaps ymmword ptr [rsi], ymm12", "c57c2926") { $0.vmov(.vmovaps.ymm, Address(.rsi), .xmm12) }
    check("vmovups xmm1, xmm2", "c5f810ca") { $0.vmov(.vmovups, .xmm1, .xmm2) }
    check("vmovups xmm1, xmmword ptr [rsi]", "c5f8100e") { $0.vmov(.vmovups, .xmm1, Address(.rsi)) }
    check("vmovups xmmword ptr [rsi], xmm1", "c5f8110e") { $0.vmov(.vmovups, Address(.rsi), .xmm1) }
    check("vmovups ymmword ptr [rsi], ymm12", "c57c1126") { $0.vmov(.vmovups.ymm, Address(.rsi), .xmm12) }
    check("vandpd xmm1, xmm2, xmm3", "c5e954cb") { $0.rvm(.vand(.pd), .xmm1, .xmm2, .xmm3) }
    check("vandnpd xmm1, xmm2, xmm3", "c5e955cb") { $0.rvm(.vandn(.pd), .xmm1, .xmm2, .xmm3) }
    check("vorpd xmm1, xmm2, xmm3", "c5e956cb") { $0.rvm(.vor(.pd), .xmm1, .xmm2, .xmm3) }
    check("vxorpd xmm1, xmm2, xmm3", "c5e957cb") { $0.rvm(.vxor(.pd), .xmm1, .xmm2, .xmm3) }
    check("vunpcklpd xmm1, xmm2, xmm3", "c5e914cb") { $0.rvm(.vunpckl(.pd), .xmm1, .xmm2, .xmm3) }
    check("vunpckhpd xmm1, xmm2, xmm3", "c5e915cb") { $0.rvm(.vunpckh(.pd), .xmm1, .xmm2, .xmm3) }
    check("vsqrtpd xmm1, xmm2", "c5f951ca") { $0.rm(.vsqrt(.pd), .xmm1, .xmm2) }
    check("vroundpd xmm1, xmm2, 3", "c4e37909ca03") { $0.rmi(.vround(.pd), .xmm1, .xmm2, imm: 3) }
    check("vaddpd ymm1, ymm2, ymm3", "c5ed58cb") { $0.rvm(.vadd(.pd).ymm, .xmm1, .xmm2, .xmm3) }
    check("vshufpd xmm1, xmm2, xmm3, 1", "c5e9c6cb01") { $0.rvmi(.vshuf(.pd), .xmm1, .xmm2, .xmm3, imm: 1) }
    check("vmovmskpd eax, xmm1", "c5f950c1") { $0.vmovmsk(.pd, .rax, .xmm1) }
    check("vblendvpd xmm1, xmm2, xmmword ptr [rsi], xmm4", "c4e3694b0e40") {
        $0.rvmr(.vblendvpd, .xmm1, .xmm2, Address(.rsi), .xmm4)
    }
    check("vblendpd xmm1, xmm2, xmm3, 1", "c4e3690dcb01") { $0.rvmi(.vblendpd, .xmm1, .xmm2, .xmm3, imm: 1) }
    check("vmovapd xmm1, xmm2", "c5f928ca") { $0.vmov(.vmovapd, .xmm1, .xmm2) }
    check("vmovapd xmm1, xmmword ptr [rsi]", "c5f9280e") { $0.vmov(.vmovapd, .xmm1, Address(.rsi)) }
    check("vmovapd xmmword ptr [rsi], xmm1", "c5f9290e") { $0.vmov(.vmovapd, Address(.rsi), .xmm1) }
    check("vmovapd ymmword ptr [rsi], ymm12", "c57d2926") { $0.vmov(.vmovapd.ymm, Address(.rsi), .xmm12) }
    check("vmovupd xmm1, xmm2", "c5f910ca") { $0.vmov(.vmovupd, .xmm1, .xmm2) }
    check("vmovupd xmm1, xmmword ptr [rsi]", "c5f9100e") { $0.vmov(.vmovupd, .xmm1, Address(.rsi)) }
    check("vmovupd xmmword ptr [rsi], xmm1", "c5f9110e") { $0.vmov(.vmovupd, Address(.rsi), .xmm1) }
    check("vmovupd ymmword ptr [rsi], ymm12", "c57d1126") { $0.vmov(.vmovupd.ymm, Address(.rsi), .xmm12) }
    check("vcvtss2sd xmm1, xmm2, xmm3", "c5ea5acb") { $0.rvm(.vcvtss2sd, .xmm1, .xmm2, .xmm3) }
    check("vcvtsd2ss xmm1, xmm2, xmm3", "c5eb5acb") { $0.rvm(.vcvtsd2ss, .xmm1, .xmm2, .xmm3) }
    check("vcvtps2pd xmm1, xmm2", "c5f85aca") { $0.rm(.vcvtps2pd, .xmm1, .xmm2) }
    check("vcvtpd2ps xmm1, xmm2", "c5f95aca") { $0.rm(.vcvtpd2ps, .xmm1, .xmm2) }
    check("vcvtdq2ps xmm1, xmm2", "c5f85bca") { $0.rm(.vcvtdq2ps, .xmm1, .xmm2) }
    check("vcvtps2dq xmm1, xmm2", "c5f95bca") { $0.rm(.vcvtps2dq, .xmm1, .xmm2) }
    check("vcvttps2dq xmm1, xmm2", "c5fa5bca") { $0.rm(.vcvttps2dq, .xmm1, .xmm2) }
    check("vcvtph2ps xmm1, xmm2", "c4e27913ca") { $0.rm(.vcvtph2ps, .xmm1, .xmm2) }
    check("vcvtps2ph xmm1, xmm9, 4", "c463791dc904") { $0.mri(.vcvtps2ph, .xmm1, .xmm9, imm: 4) }
    check("vcvtps2ph qword ptr [rsi], xmm9, 4", "c463791d0e04") { $0.mri(.vcvtps2ph, Address(.rsi), .xmm9, imm: 4) }
    check("vmovd xmm1, dword ptr [rsi]", "c5f96e0e") { $0.vmov(.dword, .xmm1, Address(.rsi)) }
    check("vmovd dword ptr [rsi], xmm1", "c5f97e0e") { $0.vmov(.dword, Address(.rsi), .xmm1) }
    check("vmovq xmm1, qword ptr [rsi]", "c5fa7e0e") { $0.vmov(.qword, .xmm1, Address(.rsi)) }
    check("vmovq qword ptr [rsi], xmm1", "c5f9d60e") { $0.vmov(.qword, Address(.rsi), .xmm1) }
    check("vmovq xmm1, xmm9", "c579d6c9") { $0.vmovq(.xmm1, .xmm9) }
    check("vmovq xmm1, rax", "c4e1f96ec8") { $0.vmov(.qword, .xmm1, .rax) }
    check("vmovd eax, xmm9", "c5797ec8") { $0.vmov(.dword, .rax, .xmm9) }
    check("vmovdqa xmm1, xmm9", "c5797fc9") { $0.vmov(.vmovdqa, .xmm1, .xmm9) }
    check("vmovdqa ymm1, ymmword ptr [rsi]", "c5fd6f0e") { $0.vmov(.vmovdqa.ymm, .xmm1, Address(.rsi)) }
    check("vmovdqu xmmword ptr [rsi], xmm1", "c5fa7f0e") { $0.vmov(.vmovdqu, Address(.rsi), .xmm1) }
    check("vpextrd eax, xmm1, 2", "c4e37916c802") { $0.vpextr(.dword, .rax, .xmm1, lane: 2) }
    check("vpextrq r9, xmm9, 1", "c443f916c901") { $0.vpextr(.qword, .r9, .xmm9, lane: 1) }
    check("vpextrq qword ptr [rsi], xmm9, 1", "c463f9160e01") { $0.vpextr(.qword, Address(.rsi), .xmm9, lane: 1) }
    check("vpinsrd xmm1, xmm2, eax, 3", "c4e36922c803") { $0.vpinsr(.dword, .xmm1, .xmm2, .rax, lane: 3) }
    check("vpinsrq xmm1, xmm2, r9, 1", "c4c3e922c901") { $0.vpinsr(.qword, .xmm1, .xmm2, .r9, lane: 1) }
    check("vpinsrd xmm1, xmm2, dword ptr [rsi], 3", "c4e369220e03") {
        $0.vpinsr(.dword, .xmm1, .xmm2, Address(.rsi), lane: 3)
    }
    check("vpmovmskb eax, xmm9", "c4c179d7c1") { $0.vpmovmskb(.rax, .xmm9) }
    check("vpclmulqdq xmm1, xmm2, xmm3, 16", "c4e36944cb10") { $0.rvmi(.vpclmulqdq, .xmm1, .xmm2, .xmm3, imm: 16) }
    check("vpalignr xmm1, xmm2, xmm3, 8", "c4e3690fcb08") { $0.rvmi(.vpalignr, .xmm1, .xmm2, .xmm3, imm: 8) }
    check("vpblendw xmm1, xmm2, xmm3, 8", "c4e3690ecb08") { $0.rvmi(.vpblendw, .xmm1, .xmm2, .xmm3, imm: 8) }
    check("vinsertps xmm1, xmm2, xmm3, 8", "c4e36921cb08") { $0.rvmi(.vinsertps, .xmm1, .xmm2, .xmm3, imm: 8) }
    check("vptest xmm1, xmm2", "c4e27917ca") { $0.rm(.vptest, .xmm1, .xmm2) }
    check("vptest ymm1, ymm2", "c4e27d17ca") { $0.rm(.vptest.ymm, .xmm1, .xmm2) }
    check("vmovshdup xmm1, xmm2", "c5fa16ca") { $0.rm(.vmovshdup, .xmm1, .xmm2) }
    check("vmovddup xmm1, xmm2", "c5fb12ca") { $0.rm(.vmovddup, .xmm1, .xmm2) }
    check("vmovhlps xmm1, xmm2, xmm3", "c5e812cb") { $0.rvm(.vmovhlps, .xmm1, .xmm2, .xmm3) }
    check("vmovlhps xmm1, xmm2, xmm3", "c5e816cb") { $0.rvm(.vmovlhps, .xmm1, .xmm2, .xmm3) }
    check("vpblendvb xmm1, xmm2, xmm3, xmm4", "c4e3694ccb40") { $0.rvmr(.vpblendvb, .xmm1, .xmm2, .xmm3, .xmm4) }
    check("vldmxcsr dword ptr [rsp+4]", "c5f8ae542404") { $0.vldmxcsr(Address(.rsp, 4)) }
    check("vstmxcsr dword ptr [r12]", "c4c178ae1c24") { $0.vstmxcsr(Address(.r12)) }
}

@Test func integerVectorsEncodes() {
    check("vpunpcklbw xmm1, xmm2, xmm3", "c5e960cb") { $0.rvm(.vpunpcklbw, .xmm1, .xmm2, .xmm3) }
    check("vpunpcklbw ymm9, ymm2, ymmword ptr [rsi]", "c56d600e") {
        $0.rvm(.vpunpcklbw.ymm, .xmm9, .xmm2, Address(.rsi))
    }
    check("vpunpcklwd xmm1, xmm2, xmm3", "c5e961cb") { $0.rvm(.vpunpcklwd, .xmm1, .xmm2, .xmm3) }
    check("vpunpcklwd ymm9, ymm2, ymmword ptr [rsi]", "c56d610e") {
        $0.rvm(.vpunpcklwd.ymm, .xmm9, .xmm2, Address(.rsi))
    }
    check("vpunpckldq xmm1, xmm2, xmm3", "c5e962cb") { $0.rvm(.vpunpckldq, .xmm1, .xmm2, .xmm3) }
    check("vpunpckldq ymm9, ymm2, ymmword ptr [rsi]", "c56d620e") {
        $0.rvm(.vpunpckldq.ymm, .xmm9, .xmm2, Address(.rsi))
    }
    check("vpunpcklqdq xmm1, xmm2, xmm3", "c5e96ccb") { $0.rvm(.vpunpcklqdq, .xmm1, .xmm2, .xmm3) }
    check("vpunpcklqdq ymm9, ymm2, ymmword ptr [rsi]", "c56d6c0e") {
        $0.rvm(.vpunpcklqdq.ymm, .xmm9, .xmm2, Address(.rsi))
    }
    check("vpunpckhbw xmm1, xmm2, xmm3", "c5e968cb") { $0.rvm(.vpunpckhbw, .xmm1, .xmm2, .xmm3) }
    check("vpunpckhbw ymm9, ymm2, ymmword ptr [rsi]", "c56d680e") {
        $0.rvm(.vpunpckhbw.ymm, .xmm9, .xmm2, Address(.rsi))
    }
    check("vpunpckhwd xmm1, xmm2, xmm3", "c5e969cb") { $0.rvm(.vpunpckhwd, .xmm1, .xmm2, .xmm3) }
    check("vpunpckhwd ymm9, ymm2, ymmword ptr [rsi]", "c56d690e") {
        $0.rvm(.vpunpckhwd.ymm, .xmm9, .xmm2, Address(.rsi))
    }
    check("vpunpckhdq xmm1, xmm2, xmm3", "c5e96acb") { $0.rvm(.vpunpckhdq, .xmm1, .xmm2, .xmm3) }
    check("vpunpckhdq ymm9, ymm2, ymmword ptr [rsi]", "c56d6a0e") {
        $0.rvm(.vpunpckhdq.ymm, .xmm9, .xmm2, Address(.rsi))
    }
    check("vpunpckhqdq xmm1, xmm2, xmm3", "c5e96dcb") { $0.rvm(.vpunpckhqdq, .xmm1, .xmm2, .xmm3) }
    check("vpunpckhqdq ymm9, ymm2, ymmword ptr [rsi]", "c56d6d0e") {
        $0.rvm(.vpunpckhqdq.ymm, .xmm9, .xmm2, Address(.rsi))
    }
    check("vpcmpgtb xmm1, xmm2, xmm3", "c5e964cb") { $0.rvm(.vpcmpgtb, .xmm1, .xmm2, .xmm3) }
    check("vpcmpgtb ymm9, ymm2, ymmword ptr [rsi]", "c56d640e") { $0.rvm(.vpcmpgtb.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpcmpgtw xmm1, xmm2, xmm3", "c5e965cb") { $0.rvm(.vpcmpgtw, .xmm1, .xmm2, .xmm3) }
    check("vpcmpgtw ymm9, ymm2, ymmword ptr [rsi]", "c56d650e") { $0.rvm(.vpcmpgtw.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpcmpgtd xmm1, xmm2, xmm3", "c5e966cb") { $0.rvm(.vpcmpgtd, .xmm1, .xmm2, .xmm3) }
    check("vpcmpgtd ymm9, ymm2, ymmword ptr [rsi]", "c56d660e") { $0.rvm(.vpcmpgtd.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpcmpgtq xmm1, xmm2, xmm3", "c4e26937cb") { $0.rvm(.vpcmpgtq, .xmm1, .xmm2, .xmm3) }
    check("vpcmpgtq ymm9, ymm2, ymmword ptr [rsi]", "c4626d370e") { $0.rvm(.vpcmpgtq.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpcmpeqb xmm1, xmm2, xmm3", "c5e974cb") { $0.rvm(.vpcmpeqb, .xmm1, .xmm2, .xmm3) }
    check("vpcmpeqb ymm9, ymm2, ymmword ptr [rsi]", "c56d740e") { $0.rvm(.vpcmpeqb.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpcmpeqw xmm1, xmm2, xmm3", "c5e975cb") { $0.rvm(.vpcmpeqw, .xmm1, .xmm2, .xmm3) }
    check("vpcmpeqw ymm9, ymm2, ymmword ptr [rsi]", "c56d750e") { $0.rvm(.vpcmpeqw.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpcmpeqd xmm1, xmm2, xmm3", "c5e976cb") { $0.rvm(.vpcmpeqd, .xmm1, .xmm2, .xmm3) }
    check("vpcmpeqd ymm9, ymm2, ymmword ptr [rsi]", "c56d760e") { $0.rvm(.vpcmpeqd.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpcmpeqq xmm1, xmm2, xmm3", "c4e26929cb") { $0.rvm(.vpcmpeqq, .xmm1, .xmm2, .xmm3) }
    check("vpcmpeqq ymm9, ymm2, ymmword ptr [rsi]", "c4626d290e") { $0.rvm(.vpcmpeqq.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpaddb xmm1, xmm2, xmm3", "c5e9fccb") { $0.rvm(.vpaddb, .xmm1, .xmm2, .xmm3) }
    check("vpaddb ymm9, ymm2, ymmword ptr [rsi]", "c56dfc0e") { $0.rvm(.vpaddb.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpaddw xmm1, xmm2, xmm3", "c5e9fdcb") { $0.rvm(.vpaddw, .xmm1, .xmm2, .xmm3) }
    check("vpaddw ymm9, ymm2, ymmword ptr [rsi]", "c56dfd0e") { $0.rvm(.vpaddw.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpaddd xmm1, xmm2, xmm3", "c5e9fecb") { $0.rvm(.vpaddd, .xmm1, .xmm2, .xmm3) }
    check("vpaddd ymm9, ymm2, ymmword ptr [rsi]", "c56dfe0e") { $0.rvm(.vpaddd.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpaddq xmm1, xmm2, xmm3", "c5e9d4cb") { $0.rvm(.vpaddq, .xmm1, .xmm2, .xmm3) }
    check("vpaddq ymm9, ymm2, ymmword ptr [rsi]", "c56dd40e") { $0.rvm(.vpaddq.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsubb xmm1, xmm2, xmm3", "c5e9f8cb") { $0.rvm(.vpsubb, .xmm1, .xmm2, .xmm3) }
    check("vpsubb ymm9, ymm2, ymmword ptr [rsi]", "c56df80e") { $0.rvm(.vpsubb.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsubw xmm1, xmm2, xmm3", "c5e9f9cb") { $0.rvm(.vpsubw, .xmm1, .xmm2, .xmm3) }
    check("vpsubw ymm9, ymm2, ymmword ptr [rsi]", "c56df90e") { $0.rvm(.vpsubw.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsubd xmm1, xmm2, xmm3", "c5e9facb") { $0.rvm(.vpsubd, .xmm1, .xmm2, .xmm3) }
    check("vpsubd ymm9, ymm2, ymmword ptr [rsi]", "c56dfa0e") { $0.rvm(.vpsubd.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsubq xmm1, xmm2, xmm3", "c5e9fbcb") { $0.rvm(.vpsubq, .xmm1, .xmm2, .xmm3) }
    check("vpsubq ymm9, ymm2, ymmword ptr [rsi]", "c56dfb0e") { $0.rvm(.vpsubq.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpmullw xmm1, xmm2, xmm3", "c5e9d5cb") { $0.rvm(.vpmullw, .xmm1, .xmm2, .xmm3) }
    check("vpmullw ymm9, ymm2, ymmword ptr [rsi]", "c56dd50e") { $0.rvm(.vpmullw.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpmulld xmm1, xmm2, xmm3", "c4e26940cb") { $0.rvm(.vpmulld, .xmm1, .xmm2, .xmm3) }
    check("vpmulld ymm9, ymm2, ymmword ptr [rsi]", "c4626d400e") { $0.rvm(.vpmulld.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpmuludq xmm1, xmm2, xmm3", "c5e9f4cb") { $0.rvm(.vpmuludq, .xmm1, .xmm2, .xmm3) }
    check("vpmuludq ymm9, ymm2, ymmword ptr [rsi]", "c56df40e") { $0.rvm(.vpmuludq.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpand xmm1, xmm2, xmm3", "c5e9dbcb") { $0.rvm(.vpand, .xmm1, .xmm2, .xmm3) }
    check("vpand ymm9, ymm2, ymmword ptr [rsi]", "c56ddb0e") { $0.rvm(.vpand.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpandn xmm1, xmm2, xmm3", "c5e9dfcb") { $0.rvm(.vpandn, .xmm1, .xmm2, .xmm3) }
    check("vpandn ymm9, ymm2, ymmword ptr [rsi]", "c56ddf0e") { $0.rvm(.vpandn.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpor xmm1, xmm2, xmm3", "c5e9ebcb") { $0.rvm(.vpor, .xmm1, .xmm2, .xmm3) }
    check("vpor ymm9, ymm2, ymmword ptr [rsi]", "c56deb0e") { $0.rvm(.vpor.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpxor xmm1, xmm2, xmm3", "c5e9efcb") { $0.rvm(.vpxor, .xmm1, .xmm2, .xmm3) }
    check("vpxor ymm9, ymm2, ymmword ptr [rsi]", "c56def0e") { $0.rvm(.vpxor.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpshufb xmm1, xmm2, xmm3", "c4e26900cb") { $0.rvm(.vpshufb, .xmm1, .xmm2, .xmm3) }
    check("vpshufb ymm9, ymm2, ymmword ptr [rsi]", "c4626d000e") { $0.rvm(.vpshufb.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsrlvd xmm1, xmm2, xmm3", "c4e26945cb") { $0.rvm(.vpsrlvd, .xmm1, .xmm2, .xmm3) }
    check("vpsrlvd ymm9, ymm2, ymmword ptr [rsi]", "c4626d450e") { $0.rvm(.vpsrlvd.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsrlvq xmm1, xmm2, xmm3", "c4e2e945cb") { $0.rvm(.vpsrlvq, .xmm1, .xmm2, .xmm3) }
    check("vpsrlvq ymm9, ymm2, ymmword ptr [rsi]", "c462ed450e") { $0.rvm(.vpsrlvq.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsravd xmm1, xmm2, xmm3", "c4e26946cb") { $0.rvm(.vpsravd, .xmm1, .xmm2, .xmm3) }
    check("vpsravd ymm9, ymm2, ymmword ptr [rsi]", "c4626d460e") { $0.rvm(.vpsravd.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsllvd xmm1, xmm2, xmm3", "c4e26947cb") { $0.rvm(.vpsllvd, .xmm1, .xmm2, .xmm3) }
    check("vpsllvd ymm9, ymm2, ymmword ptr [rsi]", "c4626d470e") { $0.rvm(.vpsllvd.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpsllvq xmm1, xmm2, xmm3", "c4e2e947cb") { $0.rvm(.vpsllvq, .xmm1, .xmm2, .xmm3) }
    check("vpsllvq ymm9, ymm2, ymmword ptr [rsi]", "c462ed470e") { $0.rvm(.vpsllvq.ymm, .xmm9, .xmm2, Address(.rsi)) }
    check("vpabsb xmm1, xmm9", "c4c2791cc9") { $0.rm(.vpabsb, .xmm1, .xmm9) }
    check("vpabsw xmm1, xmm9", "c4c2791dc9") { $0.rm(.vpabsw, .xmm1, .xmm9) }
    check("vpabsd xmm1, xmm9", "c4c2791ec9") { $0.rm(.vpabsd, .xmm1, .xmm9) }
    check("vpbroadcastb xmm1, xmm9", "c4c27978c9") { $0.rm(.vpbroadcastb, .xmm1, .xmm9) }
    check("vpbroadcastw xmm1, xmm9", "c4c27979c9") { $0.rm(.vpbroadcastw, .xmm1, .xmm9) }
    check("vpbroadcastd xmm1, xmm9", "c4c27958c9") { $0.rm(.vpbroadcastd, .xmm1, .xmm9) }
    check("vpbroadcastq xmm1, xmm9", "c4c27959c9") { $0.rm(.vpbroadcastq, .xmm1, .xmm9) }
    check("vpshufd xmm1, xmm9, 0x1b", "c4c17970c91b") { $0.rmi(.vpshufd, .xmm1, .xmm9, imm: 0x1b) }
    check("vpshufd ymm1, ymmword ptr [rsi], 0x1b", "c5fd700e1b") {
        $0.rmi(.vpshufd.ymm, .xmm1, Address(.rsi), imm: 0x1b)
    }
    check("vpshufhw xmm1, xmm9, 0x1b", "c4c17a70c91b") { $0.rmi(.vpshufhw, .xmm1, .xmm9, imm: 0x1b) }
    check("vpshufhw ymm1, ymmword ptr [rsi], 0x1b", "c5fe700e1b") {
        $0.rmi(.vpshufhw.ymm, .xmm1, Address(.rsi), imm: 0x1b)
    }
    check("vpshuflw xmm1, xmm9, 0x1b", "c4c17b70c91b") { $0.rmi(.vpshuflw, .xmm1, .xmm9, imm: 0x1b) }
    check("vpshuflw ymm1, ymmword ptr [rsi], 0x1b", "c5ff700e1b") {
        $0.rmi(.vpshuflw.ymm, .xmm1, Address(.rsi), imm: 0x1b)
    }
    check("vpsrlw xmm1, xmm9, 3", "c4c17171d103") { $0.vmi(.vpsrlw, .xmm1, .xmm9, imm: 3) }
    check("vpsrlw ymm10, ymm2, 3", "c5ad71d203") { $0.vmi(.vpsrlw.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpsraw xmm1, xmm9, 3", "c4c17171e103") { $0.vmi(.vpsraw, .xmm1, .xmm9, imm: 3) }
    check("vpsraw ymm10, ymm2, 3", "c5ad71e203") { $0.vmi(.vpsraw.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpsllw xmm1, xmm9, 3", "c4c17171f103") { $0.vmi(.vpsllw, .xmm1, .xmm9, imm: 3) }
    check("vpsllw ymm10, ymm2, 3", "c5ad71f203") { $0.vmi(.vpsllw.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpsrld xmm1, xmm9, 3", "c4c17172d103") { $0.vmi(.vpsrld, .xmm1, .xmm9, imm: 3) }
    check("vpsrld ymm10, ymm2, 3", "c5ad72d203") { $0.vmi(.vpsrld.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpsrad xmm1, xmm9, 3", "c4c17172e103") { $0.vmi(.vpsrad, .xmm1, .xmm9, imm: 3) }
    check("vpsrad ymm10, ymm2, 3", "c5ad72e203") { $0.vmi(.vpsrad.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpslld xmm1, xmm9, 3", "c4c17172f103") { $0.vmi(.vpslld, .xmm1, .xmm9, imm: 3) }
    check("vpslld ymm10, ymm2, 3", "c5ad72f203") { $0.vmi(.vpslld.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpsrlq xmm1, xmm9, 3", "c4c17173d103") { $0.vmi(.vpsrlq, .xmm1, .xmm9, imm: 3) }
    check("vpsrlq ymm10, ymm2, 3", "c5ad73d203") { $0.vmi(.vpsrlq.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpsrldq xmm1, xmm9, 3", "c4c17173d903") { $0.vmi(.vpsrldq, .xmm1, .xmm9, imm: 3) }
    check("vpsrldq ymm10, ymm2, 3", "c5ad73da03") { $0.vmi(.vpsrldq.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpsllq xmm1, xmm9, 3", "c4c17173f103") { $0.vmi(.vpsllq, .xmm1, .xmm9, imm: 3) }
    check("vpsllq ymm10, ymm2, 3", "c5ad73f203") { $0.vmi(.vpsllq.ymm, .xmm10, .xmm2, imm: 3) }
    check("vpslldq xmm1, xmm9, 3", "c4c17173f903") { $0.vmi(.vpslldq, .xmm1, .xmm9, imm: 3) }
    check("vpslldq ymm10, ymm2, 3", "c5ad73fa03") { $0.vmi(.vpslldq.ymm, .xmm10, .xmm2, imm: 3) }
}
