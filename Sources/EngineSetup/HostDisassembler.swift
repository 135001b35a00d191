// Host code as text, by Capstone: for `-d out_asm`.

import CCapstone

/// One line per instruction: address, bytes, text.
public func disassembleHostCode(_ code: UnsafeRawBufferPointer, _ address: UInt64) -> String {
    var handle: csh = 0
    guard cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK else {
        return "(the host disassembler did not start)\n"
    }
    defer { cs_close(&handle) }
    var text = ""
    var offset = 0
    guard let base = code.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return text }
    while offset < code.count {
        var list: UnsafeMutablePointer<cs_insn>?
        let count = cs_disasm(handle, base + offset, code.count - offset, address + UInt64(offset), 0, &list)
        if let list {
            for i in 0..<count { text += line(list[i]) }
            if count > 0 {
                let last = list[count - 1]
                offset = Int(last.address - address) + Int(last.size)
            }
            cs_free(list, count)
        }
        // Constants between instructions are not code.
        if offset < code.count {
            text +=
                "0x" + String(address + UInt64(offset), radix: 16) + ":  .byte 0x" + String(code[offset], radix: 16)
                + "\n"
            offset += 1
        }
    }
    return text
}

private func line(_ instruction: cs_insn) -> String {
    let mnemonic = withUnsafeBytes(of: instruction.mnemonic) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let operands = withUnsafeBytes(of: instruction.op_str) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    var hex = ""
    withUnsafeBytes(of: instruction.bytes) { bytes in
        for i in 0..<Int(instruction.size) {
            let digits = String(bytes[i], radix: 16)
            hex += (digits.utf8.count < 2 ? "0" : "") + digits
        }
    }
    let pad = String(repeating: " ", count: max(1, 24 - hex.utf8.count))
    return "0x" + String(instruction.address, radix: 16) + ":  " + hex + pad + mnemonic + " " + operands + "\n"
}
