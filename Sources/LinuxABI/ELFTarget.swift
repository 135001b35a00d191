// Which machine an ELF file is for: what its header says before anything else can be read (System V gABI, chapter 4).

/// The machine, class, byte order and flags of an ELF file.
public struct ELFTarget: Equatable, Sendable {
    /// e_machine.
    public var machine: UInt16
    /// EI_CLASS and EI_DATA.
    public var words: Words
    /// e_flags: what they mean is the machine's.
    public var flags: UInt32

    public init(machine: UInt16, words: Words, flags: UInt32 = 0) {
        self.machine = machine
        self.words = words
        self.flags = flags
    }

    /// By a file's first bytes; nil when they are not those of an ELF file of a known class and order.
    public init?(_ start: UnsafeRawBufferPointer) {
        guard let base = start.baseAddress, start.count >= 20, start[0] == 0x7f, start[1] == UInt8(ascii: "E"),
            start[2] == UInt8(ascii: "L"), start[3] == UInt8(ascii: "F"), (1...2).contains(start[4]),
            (1...2).contains(start[5])
        else { return nil }
        words = Words(size: start[4] == 1 ? 4 : 8, order: start[5] == 1 ? .little : .big)
        machine = words.load(base, at: 18, as: UInt16.self)
        let flagsOffset = words.size == 4 ? 36 : 48
        flags = start.count < flagsOffset + 4 ? 0 : words.load(base, at: flagsOffset, as: UInt32.self)
    }
}
