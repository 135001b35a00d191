// The notes of a core file: what is known of the process besides its memory. Order and contents as the kernel's
// (fs/binfmt_elf.c, fill_note_info): the dying thread's status first, then what the process has once, then the other registers of
// that thread, then all of each other thread.

import CLinux
import ExecutionEngine
import HostOS
import LinuxABI

struct CoreNotes {
    private(set) var bytes: [UInt8] = []
    private let format: ELFFormat

    /// `threads` begins with the one that dies. All stand still.
    init(_ process: GuestProcess, _ information: SignalInfo, threads: [GuestThread], areas: [CoreArea]) {
        let core = process.guest.core, words = process.guest.words
        format = ELFFormat(words)
        for (index, thread) in threads.enumerated() {
            append(.threadStatus, Self.threadStatus(thread, information.signal, core))
            if index == 0 {
                append(.processInformation, Self.processInformation(process))
                var signal = [UInt8](repeating: 0, count: SignalInfoConversion.size)
                process.signalInfo.toGuest(information, &signal)
                append(.signalInformation, signal)
                append(.auxiliaryVector, process.auxiliaryVectorBytes)
                append(.files, Self.files(areas, words))
            }
            for (set, copies) in zip(core.others, process.registers.core.others) {
                append(set.type, Self.registers(set.layout, copies, thread))
            }
        }
    }

    private mutating func append(_ type: CoreNote, _ content: [UInt8]) {
        let name: [UInt8] = Array("CORE".utf8) + [0]
        for word in [UInt32(name.count), UInt32(content.count), type.rawValue] { format.append(word, to: &bytes) }
        for part in [name, content] {
            bytes += part
            while bytes.count & 3 != 0 { bytes.append(0) }
        }
    }

    private static func threadStatus(_ thread: GuestThread, _ signal: Int32, _ core: CoreLayout) -> [UInt8] {
        let words = thread.words, place = ThreadStatusLayout(word: words.size, registers: core.general)
        let number = thread.process.guest.table.signal(signal)
        var record = [UInt8](repeating: 0, count: place.size)
        record.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            words.store(number, base, at: place.signal)
            words.store(Int16(truncatingIfNeeded: number), base, at: place.current)
            words.storeWord(thread.process.guest.table.signals(thread.signalMask), base, at: place.held)
            words.store(thread.tid, base, at: place.pid)
            let ids = ProcessIdentity()
            words.store(ids.parent, base, at: place.parent)
            words.store(ids.group, base, at: place.group)
            words.store(ids.session, base, at: place.session)
            words.store(UInt32(core.others.isEmpty ? 0 : 1), base, at: place.hasFloat)
            if thread.isLeader { resourceUsage(of: 0, to: base + place.times, words) }  // RUSAGE_SELF
            resourceUsage(of: -1, to: base + place.times + 4 * words.size, words)  // RUSAGE_CHILDREN
        }
        record.replaceSubrange(
            place.registers..<place.hasFloat,
            with: registers(core.general, thread.process.registers.core.general, thread))
        return record
    }

    /// Two struct timeval: in user and in system mode. struct rusage begins with them.
    private static func resourceUsage(of whom: Int, to target: UnsafeMutableRawPointer, _ words: Words) {
        var usage: InlineArray<18, UInt64> = .init(repeating: 0)
        _ = withUnsafeMutablePointer(to: &usage) { kernel(SYS_getrusage, whom, Int(bitPattern: $0)) }
        for index in 0..<4 { words.storeWord(usage[index], target, at: index * words.size) }
    }

    private static func processInformation(_ process: GuestProcess) -> [UInt8] {
        let words = process.guest.words, layout = ProcessInformationLayout(word: words.size)
        var record = [UInt8](repeating: 0, count: layout.size)
        func place(_ text: [UInt8], _ field: (offset: Int, size: Int)) {
            for (index, byte) in text.prefix(field.size - 1).enumerated() { record[field.offset + index] = byte }
        }
        record[layout.stateName] = UInt8(ascii: "R")
        record[layout.nice] = UInt8(truncatingIfNeeded: 20 - kernel(SYS_getpriority, 0, 0))
        place(
            Array(((try? HostFile.text("/proc/self/comm")) ?? "").utf8.prefix { $0 != UInt8(ascii: "\n") }), layout.name
        )
        let strings = process.argumentStrings
        let texts = (try? process.memory.readBytes(strings.lowerBound, count: strings.count)) ?? []
        place(texts.dropLast().map { $0 == 0 ? UInt8(ascii: " ") : $0 }, layout.arguments)
        record.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            let ids = ProcessIdentity()
            words.store(ids.userID, base, at: layout.user)
            words.store(ids.groupID, base, at: layout.group)
            words.store(HostProcess.processID, base, at: layout.pid)
            words.store(ids.parent, base, at: layout.parent)
            words.store(ids.group, base, at: layout.processGroup)
            words.store(ids.session, base, at: layout.session)
        }
        return record
    }

    /// NT_FILE: count, page size; start, end and page offset of each; then their names.
    private static func files(_ areas: [CoreArea], _ words: Words) -> [UInt8] {
        let mapped = areas.filter { !$0.file.isEmpty }
        var values = [UInt64(mapped.count), CoreFile.pageSize]
        for area in mapped { values += [area.start, area.end, area.offset / CoreFile.pageSize] }
        return mapped.reduce(words.bytes(values)) { $0 + Array($1.file.utf8) + [0] }
    }

    /// One set of a thread's registers.
    private static func registers(
        _ layout: RegisterSetLayout, _ copies: RegisterCopies, _ thread: GuestThread
    ) -> [UInt8] {
        var set = [UInt8](repeating: 0, count: layout.size)
        if let place = layout.programCounter { thread.words.storeWord(thread.pc, &set, at: place) }
        copies.save(thread.vcpu, &set, thread.words)
        return set
    }
}

/// Who the process is, for two records.
private struct ProcessIdentity {
    let parent = Int32(truncatingIfNeeded: kernel(SYS_getppid))
    let group = Int32(truncatingIfNeeded: kernel(SYS_getpgid, 0))
    let session = Int32(truncatingIfNeeded: kernel(SYS_getsid, 0))
    let userID = Int32(truncatingIfNeeded: kernel(SYS_getuid))
    let groupID = Int32(truncatingIfNeeded: kernel(SYS_getgid))
}
