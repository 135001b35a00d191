// Guest accesses through look-up tables (`GuestAddressing.tables`).
//
//     lea   r10, [address]
//     rorx  r11, r10, 7
//     and   r11d, [view.mask]
//     add   r11, [view.table]
//     xor   r10, [r11 + tag]          the offset in the page, where the entry is the page's
//     cmp   r10, 4096 - size
//     ja    cold                      another page, over the end, or an entry that wants to be asked
//     mov   r11, [r11 + addend]
//     mov   dst, [r11 + address]
//
// r10 is not the allocator's in such code. The recovery point of an access is the first of these instructions.
//
// Behind an access r10 and r11 tell its page. The next one off the same register, of the same kind, asks only whether it lies there too:
//
//     lea   r10, [r10 + distance]
//     cmp   r10, 4096 - size
//     ja    cold                      which looks up as above and goes on here
//     mov   dst, [r11 + address]
//
// An access that was made beside the tables leaves a distance in r10 with which no other lies in the page.

import CodeGen
import IR

/// What the cold part of an access tells `slowAccess`, as data behind a call: where to go on, and what the access is. All distances are
/// from the descriptor.
struct SlowDescriptor {
    var point: Int32
    var again: Int32
    var back: Int32
    var memOp: UInt16
    var kind: UInt8
    var atomicOp: UInt8
    /// Allocator numbers of registers, or `Place.constant`.
    var result: UInt8
    var value: UInt8
    var expected: UInt8
    var isNarrow: UInt8
    /// Offset of a pair's operands in the CPU state.
    var pair: Int32
    /// The value, where it is a constant.
    var constant: UInt64

    static let size = 32
}

/// The page of the access before, for the next one: its entry allows that kind of access to all of it.
struct KnownPage {
    /// The address's register; `Place.constant`: nothing is known.
    var place: UInt8
    var displacement: Int32
    var isWrite: Bool
    var index: Int
    static let none = KnownPage(place: Place.constant, displacement: 0, isWrite: false, index: 0)
    /// In r10 where nothing is: no access is so far from another one.
    static let nowhere: UInt64 = 1 << 62
}

extension Lowering {
    /// The host's memory operand for a guest access, in r11 and the address's own register, or r10 where it has none.
    mutating func lookUp(
        _ s: StepPointer, _ op: OpPointer, _ displacement: Int64, isWrite: Bool
    ) -> Address {
        let place = s.pointee.a, t = op.pointee.a, memOp = op.pointee.memOp
        let start = asm.offset
        point()
        let isNarrow = temps[t.i].type == .i32
        // The address is as plain as can be, not checked, and of an access that is made once.
        let isPlain =
            place != Place.constant && !isNarrow && fits(displacement) && !(memOp.isAligned && memOp.log2Size > 0)
            && (op.pointee.opcode == .gld || op.pointee.opcode == .gst)
        let low = Int32(truncatingIfNeeded: displacement)
        lookUps.accesses &+= 1
        if isPlain, isKnown(place, low, memOp, isWrite: isWrite) {
            lookUps.shared &+= 1
            asm.lea(.qword, .r10, Address(.r10, low &- known.displacement))
            asm.alu(.cmp, .qword, .r10, imm: Int32(TLBEntry.pageSize) &- Int32(truncatingIfNeeded: memOp.size))
            let stub = addCold(.lookUp, value: s - steps), found = asm.newLabel()
            cold[coldCount &- 1].point = start
            cold[coldCount &- 1].found = found
            asm.jcc(.a, stub.label)
            asm.bindToOwnCode(found)
            madeAccess = stub.back
            know(place, low, memOp, isWrite: isWrite)
            return Address(gpr(place), index: .r11, .x1, low)
        }
        known = .none
        var sum: Int64?
        if place == Place.constant {
            let target = value(t) &+ displacement
            sum = isNarrow ? Int64(UInt32(truncatingIfNeeded: target)) : target
        }
        makeAddress(place, displacement, isNarrow: isNarrow, constant: sum)
        if memOp.isAligned, memOp.log2Size > 0 {
            asm.test(.byte, .r10, imm: Int32(truncatingIfNeeded: memOp.size &- 1))
            let stub = addCold(isWrite ? .misalignedWrite : .misalignedRead, value: start, register: .r10)
            asm.jcc(.ne, stub.label)
        }
        askTables(memOp, isWrite: isWrite)
        let stub = addCold(isWrite ? .slowWrite : .slowRead, value: s - steps)
        cold[coldCount &- 1].point = start
        asm.jcc(.a, stub.label)
        asm.mov(.qword, .r11, Address(.r11, Self.addend))
        madeAccess = stub.back
        if sum == nil, !isNarrow, fits(displacement) {
            if isPlain { know(place, low, memOp, isWrite: isWrite) }
            return Address(gpr(place), index: .r11, .x1, low)
        }
        makeAddress(place, displacement, isNarrow: isNarrow, constant: sum)
        return Address(.r10, index: .r11)
    }

    /// Does an access lie near the one before, and do r10, r11 and the address's register still have what they had then?
    private func isKnown(_ place: UInt8, _ displacement: Int32, _ memOp: MemOp, isWrite: Bool) -> Bool {
        let scratch: UInt32 = 1 << UInt32(GPR.r10.rawValue) | 1 << UInt32(GPR.r11.rawValue)
        return known.place == place && known.isWrite == isWrite && known.index == memOp.mmuIndex
            && asm.touched & (scratch | 1 &<< UInt32(place)) == 0 && asm.touchedByVector & scratch == 0
            && abs(Int64(displacement) &- Int64(known.displacement)) < Int64(TLBEntry.pageSize)
    }

    /// Behind the last instruction that changes r10 or r11.
    private mutating func know(_ place: UInt8, _ displacement: Int32, _ memOp: MemOp, isWrite: Bool) {
        known = KnownPage(place: place, displacement: displacement, isWrite: isWrite, index: memOp.mmuIndex)
        asm.touched = 0
        asm.touchedByVector = 0
    }

    /// r10 has an address: "above" in the host's flags, unless the entry in r11 is its page's; r10 is then the offset in the page.
    private mutating func askTables(_ memOp: MemOp, isWrite: Bool) {
        let view = header.view(memOp.mmuIndex)
        asm.rorx(.qword, .r11, .r10, imm: UInt8(TLBEntry.pageBits - TLBEntry.sizeBits))
        asm.alu(.and, .dword, .r11, view.mask)
        asm.alu(.add, .qword, .r11, view.table)
        asm.alu(.xor, .qword, .r10, Address(.r11, isWrite ? Self.writeTag : Self.readTag))
        asm.alu(.cmp, .qword, .r10, imm: Int32(TLBEntry.pageSize) &- Int32(truncatingIfNeeded: memOp.size))
    }

    private static let readTag = Int32(MemoryLayout<TLBEntry>.offset(of: \.readTag)!)
    private static let writeTag = Int32(MemoryLayout<TLBEntry>.offset(of: \.writeTag)!)
    private static let addend = Int32(MemoryLayout<TLBEntry>.offset(of: \.addend)!)

    /// r10 = the guest address.
    private mutating func makeAddress(_ place: UInt8, _ displacement: Int64, isNarrow: Bool, constant: Int64?) {
        if let constant { return asm.mov(.r10, imm: constant) }
        if isNarrow {
            asm.lea(.dword, .r10, Address(gpr(place), Int32(truncatingIfNeeded: displacement)))
        } else if displacement == 0 {
            asm.mov(.qword, .r10, gpr(place))
        } else if fits(displacement) {
            asm.lea(.qword, .r10, Address(gpr(place), Int32(truncatingIfNeeded: displacement)))
        } else {
            asm.mov(.r10, imm: displacement)
            asm.alu(.add, .qword, .r10, gpr(place))
        }
    }

    /// Behind the last instruction of an access: there its cold part comes back once the access has been made.
    @inline(__always) mutating func closeAccess() {
        guard let back = madeAccess else { return }
        madeAccess = nil
        asm.bindToOwnCode(back)
    }

    /// The cold part of an access.
    mutating func slowAccess(_ stub: ColdStub, _ s: StepPointer, _ op: OpPointer) {
        var isWrite = stub.kind == .slowWrite, start = stub.point
        if stub.kind == .lookUp {
            isWrite = op.pointee.opcode == .gst
            start = asm.offset
            makeAddress(s.pointee.a, op.pointee.imm, isNarrow: false, constant: nil)
            askTables(op.pointee.memOp, isWrite: isWrite)
            let slow = asm.newLabel()
            asm.jcc(.a, slow)
            asm.mov(.qword, .r11, Address(.r11, Self.addend))
            asm.jmp(stub.found)
            asm.bind(slow)
        }
        asm.alu(.xor, .qword, .r10, Address(.r11, isWrite ? Self.writeTag : Self.readTag))
        asm.call(to: stubs.slowAccess, scratch: .r11)
        let here = asm.offset
        func distance(_ offset: Int) -> Int32 { Int32(truncatingIfNeeded: offset &- here) }
        let back = asm.offset(of: stub.back) ?? start
        var d = SlowDescriptor(
            point: distance(stub.point), again: distance(start), back: distance(back), memOp: op.pointee.memOp.rawValue,
            kind: 0, atomicOp: 0, result: s.pointee.dst, value: Place.constant, expected: 0,
            isNarrow: temps[op.pointee.a.i].type == .i32 ? 1 : 0, pair: 0, constant: 0)
        var kind = SlowAccess.Kind.load
        switch op.pointee.opcode {
        case .gst:
            kind = .store
            d.value = s.pointee.b
            if s.pointee.b == Place.constant { d.constant = UInt64(bitPattern: value(op.pointee.b)) }
        case .grmw:
            kind = .readModifyWrite
            d.value = s.pointee.b
            d.atomicOp = op.pointee.atomicOp.rawValue
            d.result = GPR.rax.rawValue
        case .gcas:
            kind = .compareAndSwap
            d.value = s.pointee.c
            d.expected = GPR.rax.rawValue
            d.result = GPR.rax.rawValue
        case .gcas128:
            kind = .compareAndSwapPair
            d.pair = Int32(truncatingIfNeeded: op.pointee.imm)
        default: break
        }
        d.kind = kind.rawValue
        withUnsafeBytes(of: d) { bytes in
            for i in 0..<SlowDescriptor.size / 8 {
                asm.data(bytes.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self))
            }
        }
    }
}

/// (CPU state, descriptor) -> host address to go on at, or 0: leave. Registers are in the header, where results go too.
@c(martlet_x64_slow_access)
func makeSlowAccess(_ state: UnsafeMutableRawPointer, _ descriptor: UnsafeRawPointer) -> UInt64 {
    let header = VCPUHeader.of(state)
    let d = descriptor.loadUnaligned(as: SlowDescriptor.self)
    let here = UInt64(UInt(bitPattern: descriptor))
    func register(_ place: UInt8) -> UInt64 { header.pointee.savedRegisters[Int(place)] }
    var access = SlowAccess(
        SlowAccess.Kind(rawValue: d.kind) ?? .load, MemOp(rawValue: d.memOp), address: register(GPR.r10.rawValue),
        value: d.value == Place.constant ? d.constant : register(d.value),
        expected: register(d.expected & 63),
        atomicOp: AtomicOp(rawValue: d.atomicOp) ?? .swap, pair: state + Int(d.pair))
    switch header.pointee.slowAccess(state, &access) {
    case .retry: return here &+ UInt64(bitPattern: Int64(d.again))
    case .done:
        if access.kind != .store, d.result < 64 { header.pointee.savedRegisters[Int(d.result)] = access.result }
        header.pointee.savedRegisters[Int(GPR.r10.rawValue)] = KnownPage.nowhere
        return here &+ UInt64(bitPattern: Int64(d.back))
    case .leave:
        header.pointee.sideExitAddress = here &+ UInt64(bitPattern: Int64(d.point))
        return 0
    }
}

extension Stubs {
    /// Entered by a call behind which the descriptor is; r10 has the address.
    static func emitSlowAccess(_ asm: inout Assembler, _ header: HeaderFields) -> UInt {
        let entry = asm.address
        asm.pop(.r11)
        let base = Int32(truncatingIfNeeded: header.savedRegisters.value)
        func home(_ number: UInt8) -> Address { Address(.rbp, base + 8 * Int32(number)) }
        for r in GPR.allCases { asm.mov(.qword, home(r.rawValue), r) }
        for x in XMM.allCases { asm.vmov(.qword, home(floatRegisterBase + x.rawValue), x) }
        asm.lea(.qword, .rdi, Address(.rbp, -Int32(StateRegister.bias)))
        asm.mov(.qword, .rsi, .r11)
        let target = unsafeBitCast(
            makeSlowAccess as @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer) -> UInt64, to: UInt.self)
        asm.call(to: target, scratch: .rax)
        asm.mov(.qword, .r11, .rax)
        asm.test(.qword, .r11, .r11)
        let leaves = asm.newLabel()
        asm.jcc(.e, leaves)
        for r in GPR.allCases where r != .r11 && r != .rsp && r != .rbp { asm.mov(.qword, r, home(r.rawValue)) }
        for x in XMM.allCases { asm.vmov(.qword, x, home(floatRegisterBase + x.rawValue)) }
        asm.jmp(.r11)
        asm.bind(leaves)
        return entry
    }
}
