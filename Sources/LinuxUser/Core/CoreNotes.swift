// The notes of a core file: what is known of the process besides its memory. Order and contents as the kernel's
// (fs/binfmt_elf.c, fill_note_info): the dying thread's status first, then what the process has once, then the other registers of
// that thread, then all of each other thread.

import CLinux
import ExecutionEngine
import HostOS
import LinuxABI

struct CoreNotes {
    private(set) var bytes: [UInt8] = []

    /// `threads` begins with the one that dies. All stand still.
    init(_ process: GuestProcess, _ information: SignalInfo, threads: [GuestThread], areas: [CoreArea]) {
        let core = process.guest.core
        let registers = RegisterPlaces(process)
        for (index, thread) in threads.enumerated() {
            append(.threadStatus, Self.threadStatus(thread, information.signal, core, registers))
            if index == 0 {
                append(.processInformation, Self.processInformation(process))
                append(.signalInformation, withUnsafeBytes(of: information.words) { Array($0) })
                append(.auxiliaryVector, process.auxiliaryVector.withUnsafeBytes { Array($0) })
                append(.files, Self.files(areas))
            }
            for set in core.others { append(set.type, registers.bytes(set.layout, thread)) }
        }
    }

    private mutating func append(_ type: CoreNote, _ content: [UInt8]) {
        let name: [UInt8] = Array("CORE".utf8) + [0]
        for word in [UInt32(name.count), UInt32(content.count), type.rawValue] { bytes.append(word: word) }
        for part in [name, content] {
            bytes += part
            while bytes.count & 3 != 0 { bytes.append(0) }
        }
    }

    private static func threadStatus(
        _ thread: GuestThread, _ signal: Int32, _ core: CoreLayout, _ registers: RegisterPlaces
    ) -> [UInt8] {
        typealias F = ThreadStatusField
        var record = [UInt8](repeating: 0, count: F.size(registers: core.general))
        record.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            F.signal.store(UInt64(signal), base)
            F.current.store(UInt64(signal), base)
            F.held.store(thread.signalMask, base)
            F.pid.store(UInt64(thread.tid), base)
            let ids = ProcessIdentity()
            F.parent.store(ids.parent, base)
            F.group.store(ids.group, base)
            F.session.store(ids.session, base)
            F.hasFloat(registers: core.general).store(core.others.isEmpty ? 0 : 1, base)
            // struct rusage begins with the times in user and system mode, as this record has them.
            if thread.isLeader { resourceUsage(of: 0, to: base + F.userTime) }  // RUSAGE_SELF
            resourceUsage(of: -1, to: base + F.childrenUserTime)  // RUSAGE_CHILDREN
        }
        record.replaceSubrange(
            F.registers..<F.registers + core.general.size, with: registers.bytes(core.general, thread))
        return record
    }

    /// Two struct timeval: in user and in system mode.
    private static func resourceUsage(of whom: Int, to target: UnsafeMutableRawPointer) {
        var usage: InlineArray<18, UInt64> = .init(repeating: 0)
        _ = withUnsafeMutablePointer(to: &usage) { kernel(SYS_getrusage, whom, Int(bitPattern: $0)) }
        for index in 0..<4 { target.storeBytes(of: usage[index], toByteOffset: 8 * index, as: UInt64.self) }
    }

    private static func processInformation(_ process: GuestProcess) -> [UInt8] {
        typealias F = ProcessInformationField
        var record = [UInt8](repeating: 0, count: F.size)
        func place(_ text: [UInt8], _ field: (offset: Int, size: Int)) {
            for (index, byte) in text.prefix(field.size - 1).enumerated() { record[field.offset + index] = byte }
        }
        record[F.stateName] = UInt8(ascii: "R")
        record[F.nice] = UInt8(truncatingIfNeeded: 20 - kernel(SYS_getpriority, 0, 0))
        place(Array(((try? HostFile.text("/proc/self/comm")) ?? "").utf8.prefix { $0 != UInt8(ascii: "\n") }), F.name)
        let strings = process.argumentStrings
        let words = (try? process.memory.readBytes(strings.lowerBound, count: strings.count)) ?? []
        place(words.dropLast().map { $0 == 0 ? UInt8(ascii: " ") : $0 }, F.arguments)
        record.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            let ids = ProcessIdentity()
            F.user.store(ids.userID, base)
            F.group.store(ids.groupID, base)
            F.pid.store(UInt64(HostProcess.processID), base)
            F.parent.store(ids.parent, base)
            F.processGroup.store(ids.group, base)
            F.session.store(ids.session, base)
        }
        return record
    }

    /// NT_FILE: count, page size; start, end and page offset of each; then their names.
    private static func files(_ areas: [CoreArea]) -> [UInt8] {
        let mapped = areas.filter { !$0.file.isEmpty }
        var bytes: [UInt8] = []
        for word in [UInt64(mapped.count), CoreFile.pageSize] { bytes.append(word: word) }
        for area in mapped {
            for word in [area.start, area.end, area.offset / CoreFile.pageSize] { bytes.append(word: word) }
        }
        for area in mapped { bytes += Array(area.file.utf8) + [0] }
        return bytes
    }
}

/// Who the process is, for two records.
private struct ProcessIdentity {
    let parent = UInt64(truncatingIfNeeded: kernel(SYS_getppid))
    let group = UInt64(truncatingIfNeeded: kernel(SYS_getpgid, 0))
    let session = UInt64(truncatingIfNeeded: kernel(SYS_getsid, 0))
    let userID = UInt64(truncatingIfNeeded: kernel(SYS_getuid))
    let groupID = UInt64(truncatingIfNeeded: kernel(SYS_getgid))
}

/// Where registers are in the CPU state, by name.
private struct RegisterPlaces {
    private var offsets: [String: Int] = [:]

    init(_ process: GuestProcess) {
        for register in process.architecture.registers { offsets[register.name] = register.offset }
    }

    /// One set of a thread's registers.
    func bytes(_ layout: RegisterSetLayout, _ thread: GuestThread) -> [UInt8] {
        var set = [UInt8](repeating: 0, count: layout.size)
        set.withUnsafeMutableBytes { buffer in
            if let place = layout.programCounter {
                buffer.storeBytes(of: thread.pc, toByteOffset: place, as: UInt64.self)
            }
            for slot in layout.registers {
                guard let offset = offsets[slot.register] else { continue }
                buffer.storeBytes(
                    of: loadRegister(thread.state, offset), toByteOffset: slot.offset, as: UInt64.self)
            }
            if let control = layout.floatControl {
                buffer.storeBytes(of: thread.floatControlWord(control), toByteOffset: control.offset, as: UInt32.self)
            }
        }
        return set
    }
}

extension [UInt8] {
    /// Appends an integer in the byte order of all guests: the least significant byte first.
    mutating func append(word: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: word.littleEndian) { append(contentsOf: $0) }
    }
}
