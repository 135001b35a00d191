// The first thing a program sees: its stack, from high to low addresses
//
//      a zero word
//      file name (AT_EXECFN), environment strings, argument strings
//      16 random bytes (AT_RANDOM)
//      padding
//      auxiliary vector: pairs, ended by AT_NULL
//      environment pointers, 0
//      argument pointers, 0
//      argument count                          <- stack pointer, 16-byte aligned
//
// Source: System V gABI, chapter 3 (process initialization); RISC-V ELF psABI; Linux fs/binfmt_elf.c for the order of
// strings. Numbers are words of the guest.

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

struct InitialStack {
    var words: Words
    var arguments: [[UInt8]]
    var environment: [[UInt8]]
    var fileName: [UInt8]
    var image: LoadedProgram
    var hardwareCapabilities: UInt64
    var seed: UInt64?

    struct Result {
        var stackPointer: UInt64
        var auxiliaryVector: [UInt64]
        /// Where the strings lie, with their zeros.
        var argumentStrings: Range<UInt64>, environmentStrings: Range<UInt64>
    }

    /// Space that strings and tables need, generously.
    var neededBytes: UInt64 {
        let rest = 4096  // the auxiliary vector, what it points to, and alignment
        var total = rest + fileName.count
        for string in arguments { total += string.count + 9 }
        for string in environment { total += string.count + 9 }
        return UInt64(total)
    }

    /// Writes the stack below `top`.
    func write(to memory: UserAddressSpace, top: UInt64) throws(Errno) -> Result {
        // Strings first, collected in one buffer that ends at `top`.
        var strings: [UInt8] = []
        strings.reserveCapacity(Int(neededBytes))
        var offsets: [Int] = []
        offsets.reserveCapacity(arguments.count + environment.count + 1)
        for string in arguments + environment + [fileName] {
            offsets.append(strings.count)
            strings.append(contentsOf: string)
            strings.append(0)
        }
        strings.append(contentsOf: [UInt8](repeating: 0, count: words.size))
        let stringBase = top - UInt64(strings.count)
        let random = randomBytes()
        let randomAddress = (stringBase - 16) & ~15
        try memory.writeBytes(stringBase, strings)
        try memory.writeBytes(randomAddress, random)

        let fileNameAddress = stringBase + UInt64(offsets[arguments.count + environment.count])
        let vector = auxiliaryVector(
            random: randomAddress, fileName: fileNameAddress, pageSize: memory.pageSize)
        var values: [UInt64] = [UInt64(arguments.count)]
        values.reserveCapacity(arguments.count + environment.count + 3 + vector.count)
        for index in 0..<arguments.count { values.append(stringBase + UInt64(offsets[index])) }
        values.append(0)
        for index in 0..<environment.count { values.append(stringBase + UInt64(offsets[arguments.count + index])) }
        values.append(0)
        values.append(contentsOf: vector)
        let stackPointer = (randomAddress - UInt64(values.count * words.size)) & ~15
        try memory.writeBytes(stackPointer, words.bytes(values))
        let environment = stringBase + UInt64(offsets[arguments.count])
        return Result(
            stackPointer: stackPointer, auxiliaryVector: vector, argumentStrings: stringBase..<environment,
            environmentStrings: environment..<fileNameAddress)
    }

    private func auxiliaryVector(random: UInt64, fileName: UInt64, pageSize: UInt64) -> [UInt64] {
        func id(_ number: Int32) -> UInt64 { UInt64(truncatingIfNeeded: kernel(number)) }
        let secure = HostProcess.isSecure ? 1 as UInt64 : 0
        return [
            16, hardwareCapabilities,  // AT_HWCAP
            6, pageSize,  // AT_PAGESZ
            17, 100,  // AT_CLKTCK: USER_HZ is 100 everywhere
            3, image.headers,  // AT_PHDR
            4, UInt64(ELFFormat(words).programHeaderSize),  // AT_PHENT
            5, UInt64(image.headerCount),  // AT_PHNUM
            7, image.interpreterBase,  // AT_BASE
            8, 0,  // AT_FLAGS
            9, image.entry,  // AT_ENTRY
            11, id(SYS_getuid), 12, id(SYS_geteuid), 13, id(SYS_getgid), 14, id(SYS_getegid),  // AT_UID ... AT_EGID
            23, secure,  // AT_SECURE
            25, random,  // AT_RANDOM
            26, 0,  // AT_HWCAP2
            31, fileName,  // AT_EXECFN
            0, 0,  // AT_NULL
        ]
    }

    private func randomBytes() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        if var state = seed {
            // SplitMix64: any repeatable generator will do.
            for index in 0..<16 {
                state &+= 0x9e37_79b9_7f4a_7c15
                var mixed = (state ^ (state &>> 30)) &* 0xbf58_476d_1ce4_e5b9
                mixed = (mixed ^ (mixed &>> 27)) &* 0x94d0_49bb_1331_11eb
                bytes[index] = UInt8(truncatingIfNeeded: mixed &>> 56)
            }
        } else {
            bytes.withUnsafeMutableBytes { HostProcess.fillRandom($0) }
        }
        return bytes
    }
}
