// What one vCPU of a machine sees at guest addresses: look-up tables by view, filled from the guest's page tables.

import CodeGen
import GuestKit
import GuestMemory
import HostOS

/// Belongs to the vCPU's thread.
public final class MMU: AddressSpace, @unchecked Sendable {
    let guest: any SystemGuest
    let state: UnsafeMutableRawPointer
    let header: UnsafeMutablePointer<VCPUHeader>
    let memory: MachineMemory
    let map: PhysicalMap
    /// Tables by view; those in use least lately are taken for new views.
    private(set) var tables: [TLBTable] = []
    private static let tableLimit = 24
    private var clock: UInt64 = 0
    /// By MMU index.
    private var current: [TLBTable] = []
    /// Of those, what they are for.
    private let currentViews: UnsafeMutablePointer<UInt64>
    private let count: Int
    var writers = PageWriters()
    /// Accesses that the vCPU stops at; pages with such bytes have no entries.
    var watches = Watches()
    /// Contexts by what tells them apart.
    private var contexts: [(key: TLBKey, stamp: UInt64, context: CodeContext)] = []
    private static let contextLimit = 8
    private(set) var context: CodeContext
    /// What code is fetched by, and the whole view that this is a part of.
    private var fetchKey = TLBKey.none
    private var fetchedBy: UInt64 = 0
    /// Why the access that generated code was left for is not possible.
    private(set) var fault: FaultResolution = .retry
    /// The exception of that, where the page tables have raised it.
    private(set) var exception: UInt32 = 0
    public internal(set) var counters = MMUCounters()
    /// Where instructions are counted.
    var counting: DeviceCounting?
    /// The access that generated code was left for is to be made by its instruction alone.
    var mustStep = false
    private var lastWritten: UInt64 = 1
    private var writesThere = 0

    init(
        _ guest: any SystemGuest, _ state: UnsafeMutableRawPointer, _ memory: MachineMemory, _ context: CodeContext
    ) throws(Errno) {
        self.guest = guest
        self.state = state
        self.memory = memory
        self.context = context
        map = memory.map
        header = VCPUHeader.of(state)
        count = guest.mmuIndexCount
        currentViews = .allocate(capacity: count)
        for index in 0..<count {
            let table = try TLBTable(), view = guest.view(state, index: index)
            table.key = TLBKey(view: view, index: index)
            tables.append(table)
            current.append(table)
            currentViews[index] = view
            header.pointee.views[index] = table.view
        }
        viewsChanged()
    }

    deinit {
        currentViews.deallocate()
        for table in tables { table.deallocate() }
    }

    // MARK: Views

    /// Looks at what the guest's state says of its views now.
    func viewsChanged() {
        for index in 0..<count {
            let view = guest.view(state, index: index)
            if currentViews[index] != view { change(index, to: view) }
        }
        let index = guest.fetchIndex(state)
        let view = index < count ? currentViews[index] : 0
        if fetchKey.index == index, fetchedBy == view { return }
        fetchedBy = view
        let key = TLBKey(view: guest.fetchView(view), index: index)
        if key != fetchKey { fetchChanged(key) }
    }

    private func change(_ index: Int, to view: UInt64) {
        counters.viewSwitches &+= 1
        let table = self.table(TLBKey(view: view, index: index))
        current[index] = table
        currentViews[index] = view
        header.pointee.views[index] = table.view
    }

    private func table(_ key: TLBKey) -> TLBTable {
        clock &+= 1
        for table in tables where table.key == key {
            table.stamp = clock
            return table
        }
        if tables.count < Self.tableLimit, let new = try? TLBTable() {
            tables.append(new)
            return take(new, key)
        }
        var oldest: TLBTable?
        for table in tables where !current.contains(table) {
            if let known = oldest, known.stamp <= table.stamp { continue }
            oldest = table
        }
        return take(oldest ?? current[key.index], key)
    }

    private func take(_ table: TLBTable, _ key: TLBKey) -> TLBTable {
        table.empty()
        table.key = key
        table.stamp = clock
        return table
    }

    /// Code is fetched by other page tables, or by another privilege.
    private func fetchChanged(_ key: TLBKey) {
        fetchKey = key
        // What is the same in all address spaces is remembered for all of them.
        let context = context(TLBKey(view: guest.globalView(key.view), index: key.index))
        if context.view != key.view {
            context.view = key.view
            context.forgetDeltas()
            if context.pages.hasLocalPages { context.forgetPages() }
        }
        if context === self.context { return }
        self.context = context
        header.pointee.jumpCache = context.jumpCache
        header.pointee.knownTranslations = context.known?.words
        header.pointee.returnStack = context.returnStack
    }

    private func context(_ key: TLBKey) -> CodeContext {
        let known = context.known?.capacity ?? 0
        clock &+= 1
        for i in contexts.indices where contexts[i].key == key {
            contexts[i].stamp = clock
            return contexts[i].context
        }
        if contexts.isEmpty {
            contexts.append((key, clock, context))
            return context
        }
        if contexts.count < Self.contextLimit, let new = try? CodeContext(translations: known) {
            contexts.append((key, clock, new))
            return new
        }
        var oldest = 0
        for i in contexts.indices where contexts[i].stamp < contexts[oldest].stamp { oldest = i }
        contexts[oldest].key = key
        contexts[oldest].stamp = clock
        contexts[oldest].context.forgetPages()
        return contexts[oldest].context
    }

    /// Translations have died: nothing remembered leads to them any more.
    func forgetCode() {
        for other in contexts { other.context.forget() }
    }

    // MARK: Flushes

    /// The guest's page tables may have changed (`SystemInputs.flush`).
    func flush(_ kind: UInt64, _ address: UInt64, space: UInt64 = 0) {
        counters.flushes &+= 1
        let isLocal = kind & SystemFlush.space != 0
        func isMeant(_ view: UInt64) -> Bool { !isLocal || guest.isView(view, of: space) }
        if kind & SystemFlush.address != 0 {
            counters.addressFlushes &+= 1
            for table in tables where isMeant(table.key.view) { table.forget(address) }
            let page = address & ~(TLBEntry.pageSize &- 1)
            for other in contexts where isMeant(other.context.view) { other.context.forget(page: page) }
            return
        }
        for table in tables where isMeant(table.key.view) { table.empty() }
        // Pages that are in all address spaces stay.
        for other in contexts where isMeant(other.context.view) && !(isLocal && !other.context.pages.hasLocalPages) {
            other.context.forgetPages()
        }
    }

    /// Data accesses look again where they lead.
    func forgetEntries() {
        for table in tables { table.empty() }
    }

    // MARK: Code

    public func place(of address: UInt64) -> GuestPlace? {
        let page = address & ~(TLBEntry.pageSize &- 1)
        if let place = context.pages.find(page) { return place }
        guard case .page(let found) = guest.walk(state, address, .execute, index: fetchKey.index, map),
            map.span(found.physical) != nil
        else { return nil }
        let place = GuestPlace(found.physical &- address)
        context.pages.enter(
            page, place, leafBits: found.leafBits, isGlobal: found.isGlobal, isLasting: found.isUniform)
        return place
    }

    public func wholePlace(of address: UInt64) -> GuestPlace? {
        // Only what may be found again without another walk is remembered.
        place(of: address) == nil ? nil : context.pages.find(address & ~(TLBEntry.pageSize &- 1))
    }

    public func resolveFault(address: UInt64, access: MemoryAccess) -> FaultResolution {
        if access != .execute { return fault }
        switch guest.walk(state, address, .execute, index: fetchKey.index, map) {
        case .fault(let number):
            exception = number
            return .guestFault(.unmapped)
        case .page(let found):
            if map.span(found.physical) != nil { return .retry }
            exception = guest.exception(.bus, .execute)
            return .guestFault(.bus)
        }
    }

    /// The physical address of a byte as loads of the present privilege find it; nil: none.
    public func physical(_ address: UInt64) -> UInt64? {
        let index = min(fetchKey.index, current.count - 1)
        guard case .page(let found) = guest.walk(state, address, .execute, index: index, map) else {
            guard case .page(let data) = guest.walk(state, address, .read, index: index, map) else { return nil }
            return data.physical
        }
        return found.physical
    }

    // MARK: Slow accesses

    /// Makes, or makes possible, an access that generated code could not make.
    func access(_ access: inout SlowAccess) -> SlowOutcome {
        counters.slow &+= 1
        if !watches.isEmpty, stops(access) { return leave(access.address, access.isWrite) }
        let size = UInt64(truncatingIfNeeded: access.memOp.size)
        let offset = access.address & (TLBEntry.pageSize &- 1)
        if offset &+ size > TLBEntry.pageSize { return cross(&access, size, first: TLBEntry.pageSize &- offset) }
        let write = access.isWrite
        if !usesEntries, let host = known(access.address, access.memOp.mmuIndex, write) { return make(&access, host) }
        switch find(access.address, access.memOp.mmuIndex, write ? .write : .read, size: size) {
        case nil: return leave(access.address, write)
        case .device(let device, let offset): return call(device, offset, &access)
        case .cover(let cover, let offset):
            // Entries for its memory may be there from before.
            defer { if write, !cover.showsMemory { forgetEntries() } }
            return call(cover, offset, &access)
        case .memory(let place):
            if place.isEntered { return usesEntries ? .retry : make(&access, place.host) }
            if write, !mayWrite(place, size) { return leave(access.address, true) }
            return make(&access, place.host)
        }
    }

    /// Generated code looks at the entries first. For the interpreter that is done here.
    var usesEntries = true

    private func known(_ address: UInt64, _ index: Int, _ write: Bool) -> UnsafeMutableRawPointer? {
        let entry = header.pointee.views[index].entry(address)
        let page = address & ~(TLBEntry.pageSize &- 1)
        guard (write ? entry.pointee.writeTag : entry.pointee.readTag) == page else { return nil }
        return UnsafeMutableRawPointer(bitPattern: UInt(truncatingIfNeeded: address &+ entry.pointee.addend))
    }

    private struct Place {
        var span: MemorySpan
        var physical: UInt64
        /// The access can be made through the table's entry now.
        var isEntered: Bool

        var host: UnsafeMutableRawPointer { span.host(physical) }
    }
    private enum Found {
        case memory(Place)
        case device(any PhysicalDevice, UInt64)
        case cover(any MemoryCover, UInt64)
    }

    /// Finds what lies at an address, for an access of `size` bytes in its page; nil: nothing, and `fault` says why.
    private func find(_ address: UInt64, _ index: Int, _ kind: MemoryAccess, size: UInt64) -> Found? {
        counters.walks &+= 1
        switch guest.walk(state, address, kind, index: index, map) {
        case .fault(let number): return deny(number)
        case .page(let found):
            if !found.isUniform, size > found.reach { return refuse(kind) }
            if let span = map.span(found.physical) {
                if span.isReadOnly {
                    if let (cover, offset) = map.cover(of: found.physical, writes: kind == .write) {
                        return .cover(cover, offset)
                    }
                    if kind == .write { return refuse(kind) }
                }
                let isEntered = enter(address, index, kind, found, span)
                return .memory(Place(span: span, physical: found.physical, isEntered: isEntered))
            }
            guard let range = map.find(found.physical), case .device(let device) = range.content else {
                return refuse(kind)
            }
            return .device(device, range.offset(of: found.physical))
        }
    }

    /// The guest's page tables, or PMP, do not permit it.
    private func deny(_ number: UInt32) -> Found? {
        fault = .guestFault(.permission)
        exception = number
        return nil
    }

    /// Memory itself does not.
    @discardableResult
    private func refuse(_ kind: MemoryAccess) -> Found? {
        fault = .guestFault(.bus)
        exception = guest.exception(.bus, kind)
        return nil
    }

    /// Fills the entry for an address. False: the access has to ask each time.
    private func enter(
        _ address: UInt64, _ index: Int, _ kind: MemoryAccess, _ found: PageMapping, _ span: MemorySpan
    ) -> Bool {
        guard found.isUniform, !isWatched(address) else { return false }
        let mask = TLBEntry.pageSize &- 1
        let page = address & ~mask, physical = found.physical & ~mask
        let writes =
            found.rights.contains(.write) && !span.isReadOnly && span.chunks(found.physical).pointee == 0
        let reads = found.rights.contains(.read)
        let entry = header.pointee.views[index].entry(address)
        let number = Int(truncatingIfNeeded: address &>> TLBEntry.pageBits & UInt64(TLBTable.count - 1))
        if writes { writers.give(physical, to: entry) }
        entry.pointee = TLBEntry(
            page, physical: physical, host: UInt64(UInt(bitPattern: span.host(physical))), index: number,
            reads: reads, writes: writes)
        current[index].note(address, leafBits: UInt64(found.leafBits))
        counters.fills &+= 1
        return kind == .write ? writes : reads
    }

    /// May a page that wants to be asked about be written at this place? False: code was made from these bytes, and `fault` says so.
    private func mayWrite(_ place: Place, _ size: UInt64) -> Bool {
        let mask = TLBEntry.pageSize &- 1
        let offset = place.physical & mask
        let chunks = MachineMemory.chunks(offset, count: size)
        if place.span.chunks(place.physical).pointee & chunks == 0 { return true }
        counters.codeWrites &+= 1
        // One that is written here and there is data by now, or will be.
        let page = place.physical & ~mask
        writesThere = page == lastWritten ? writesThere &+ 1 : 0
        lastWritten = page
        fault =
            writesThere < 4
            ? .codeWrite(page: GuestLocation(place.physical), length: size)
            : .codeWrite(page: GuestLocation(page), length: TLBEntry.pageSize)
        return false
    }

    private func leave(_ address: UInt64, _ isWrite: Bool) -> SlowOutcome {
        header.pointee.exitValue = address
        header.pointee.faultIsWrite = isWrite ? 1 : 0
        header.pointee.faultSignal = 0
        return .leave
    }

    private func call(_ device: any PhysicalDevice, _ offset: UInt64, _ access: inout SlowAccess) -> SlowOutcome {
        if let counting, !counting.mayTouch() {
            fault = .retry
            mustStep = true
            return leave(access.address, access.isWrite)
        }
        defer { counting?.touched() }
        counters.device &+= 1
        let size = access.memOp.size
        let isPossible: Bool
        let isAligned = offset & UInt64(size - 1) == 0
        switch access.kind {
        case .load where isAligned:
            let value = device.read(offset, size: size)
            access.result = access.memOp.extended(access.memOp.ordered(value ?? 0))
            isPossible = value != nil
        case .store where isAligned:
            isPossible = device.write(offset, size: size, access.memOp.ordered(access.value))
        default: isPossible = false
        }
        if isPossible { return .done }
        refuse(access.isWrite ? .write : .read)
        return leave(access.address, access.isWrite)
    }

    private func make(_ access: inout SlowAccess, _ host: UnsafeMutableRawPointer) -> SlowOutcome {
        HostAccess.make(&access, host)
        return .done
    }

    /// An access over a page's end: both pages are found before the first byte moves. Only loads and stores may be misaligned.
    private func cross(_ access: inout SlowAccess, _ size: UInt64, first: UInt64) -> SlowOutcome {
        counters.crossings &+= 1
        let index = access.memOp.mmuIndex, kind: MemoryAccess = access.isWrite ? .write : .read
        let second = access.address &+ first
        guard let low = find(access.address, index, kind, size: first) else {
            return leave(access.address, access.isWrite)
        }
        guard let high = find(second, index, kind, size: size &- first) else { return leave(second, access.isWrite) }
        guard case .memory(let a) = low, case .memory(let b) = high, access.kind == .load || access.kind == .store
        else {
            refuse(kind)
            return leave(access.address, access.isWrite)
        }
        if access.kind == .store {
            if !a.isEntered, !mayWrite(a, first) { return leave(access.address, true) }
            if !b.isEntered, !mayWrite(b, size &- first) { return leave(second, true) }
        }
        var bytes = access.memOp.ordered(access.value)
        let count = Int(size), split = Int(first)
        withUnsafeMutableBytes(of: &bytes) { buffer in
            guard let base = buffer.baseAddress else { return }
            if access.kind == .store {
                a.host.copyMemory(from: base, byteCount: split)
                b.host.copyMemory(from: base + split, byteCount: count - split)
            } else {
                base.initializeMemory(as: UInt64.self, repeating: 0, count: 1)
                base.copyMemory(from: a.host, byteCount: split)
                (base + split).copyMemory(from: b.host, byteCount: count - split)
            }
        }
        if access.kind == .load { access.result = access.memOp.extended(access.memOp.ordered(bytes)) }
        return .done
    }
}

/// What accesses to devices do where instructions are counted: what they bring about is looked at before the next instruction.
struct DeviceCounting {
    /// May the instruction that runs touch a device? False: only as the last of a block.
    var mayTouch: () -> Bool
    /// It has.
    var touched: () -> Void
}

/// What an MMU has done so far.
public struct MMUCounters: Sendable {
    /// Accesses that generated code did not make, and of those: to devices, over a page's end, refused because of code.
    public var slow: UInt64 = 0
    public var device: UInt64 = 0
    public var crossings: UInt64 = 0
    public var codeWrites: UInt64 = 0
    public var walks: UInt64 = 0
    public var fills: UInt64 = 0
    public var flushes: UInt64 = 0
    public var addressFlushes: UInt64 = 0
    public var viewSwitches: UInt64 = 0
    public init() {}
}
