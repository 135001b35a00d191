// Translations that outlive the process. There is a file of them for each file of guest code: the program, ld.so, each library, so that
// programs share what they translate of libraries. What earlier runs left is offered when the guest first runs there, and what is
// new at the end is written back together with the old.

import GuestMemory
import HostOS

/// What the store did.
public struct StoreCounters: Sendable {
    /// Rows in the files that were opened, and bytes.
    public var rows = 0
    public var bytes = 0
    /// Rows installed; rows passed over because guest memory holds other bytes.
    public var installed = 0
    public var stale = 0
    /// Rows and bytes written, and the error when it failed.
    public var written = 0
    public var writtenBytes = 0
    public var error: String?

    public init() {}
}

/// The translations of one file of guest code.
final class StoreUnit {
    let identity: StoreIdentity
    private(set) var file: StoreFile?
    /// This is a forked child that has not looked whether there is a new file.
    var mayLookAgain = false

    init(_ store: Store, _ name: String) {
        identity = store.options.identity(of: name)
        open(store)
    }

    private func open(_ store: Store) {
        guard store.readsFiles, !store.options.kept.isLost else { return }
        file = StoreFile(store.options, identity: identity, stubBytes: store.stubBytes)
        guard let file else { return }
        store.counters.rows += Int(file.head.rowCount)
        store.counters.bytes += file.bytes.count
        file.refresh(store.options, identity)
    }

    /// In a child, once: another child of the same parent may have written what this one is about to translate. True when there is
    /// another file than before.
    func lookAgain(_ store: Store) -> Bool {
        guard mayLookAgain else { return false }
        mayLookAgain = false
        guard let status = try? HostFile.status(path: store.options.path(identity), in: store.options.start),
            status.inode != file?.inode || status.device != file?.device
        else { return false }
        open(store)
        return file != nil
    }
}

/// Who takes stored translations into use.
public struct StoreClient {
    /// Is there nothing yet for a pc in a mode?
    public var wants: (_ pc: UInt64, _ mode: UInt64) -> Bool
    /// Takes one into use.
    public var install: (StoredTranslation) -> Outcome

    public enum Outcome {
        case installed
        /// Guest memory holds other bytes.
        case stale
        /// There is no room.
        case refused
    }

    public init(wants: @escaping (UInt64, UInt64) -> Bool, install: @escaping (StoredTranslation) -> Outcome) {
        self.wants = wants
        self.install = install
    }
}

/// One engine's part of the store; for one thread at a time.
public final class Store {
    public internal(set) var options: StoreOptions
    let stubBytes: Int
    /// There is a folder, and nobody but the user can have put anything there. Looked at when a process first wants a file.
    var readsFiles: Bool {
        if let trust { return trust }
        let trusted = StoreFolder.isTrusted(options)
        trust = trusted
        return trusted
    }
    private var trust: Bool?
    public internal(set) var counters = StoreCounters()
    /// What is being installed.
    private let copy: StoredCopy
    /// Translations from this index on count as new. (A forked child's are those that it made itself.)
    public internal(set) var firstNew = 0
    /// Rows of other files that this process runs and earlier runs of the program did not.
    var newUses = 0
    /// The program's own translations, those of more than one file, and the list of what it uses of other files.
    private(set) var program: StoreUnit!
    /// By number of the file of code, as far as they were asked for.
    private var units: [StoreUnit?] = []
    /// The name of a file of code by its number.
    private let name: (Int) -> String

    /// `stubBytes`: of the host's own stubs at the start of its code buffer. `mostRanges`: places that a translation may be made from.
    public init(_ options: StoreOptions, stubBytes: Int, mostRanges: Int, name: @escaping (Int) -> String) {
        copy = StoredCopy(mostRanges: mostRanges)
        self.options = options
        self.stubBytes = stubBytes
        self.name = name
        program = StoreUnit(self, options.program)
    }

    /// How the folder is found.
    public var keptFolder: KeptFolder {
        get { options.kept }
        set { options.kept = newValue }
    }

    /// Before paths lead elsewhere: from now on the folder, which is made if there is none, is found by a descriptor.
    public func keepFolder() {
        guard options.kept.descriptor < 0, !options.kept.isLost else { return }
        do throws(Errno) { options.kept.descriptor = try StoreFolder.open(options) } catch {
            options.kept.isLost = true
        }
    }

    /// The unit of a file of code, by its number.
    func unit(_ number: Int) -> StoreUnit {
        while units.count <= number { units.append(nil) }
        if let known = units[number] { return known }
        let name = name(number)
        let unit = name == options.program ? program! : StoreUnit(self, name)
        units[number] = unit
        return unit
    }

    /// The units that were asked for, besides the program's.
    var libraries: [StoreUnit] { units.compactMap { $0 === program ? nil : $0 } }

    /// Nothing is in use any more.
    public func flush() {
        firstNew = 0
        program.file?.flush()
        for unit in libraries { unit.file?.flush() }
    }

    /// This is a forked child, which has made nothing yet; `count` translations are there.
    public func beginChild(count: Int) {
        firstNew = count
        newUses = 0
        trust = nil
        program.mayLookAgain = true
        for unit in libraries { unit.mayLookAgain = true }
    }

    // MARK: Offering

    /// Offers what earlier runs translated: of the page of `pc`, when it is asked for the first time, what the program's own file has
    /// and what earlier runs of the program used of a library; else what there is at `pc`, from runs of other programs. `file`: the
    /// number of the file of code at `pc`; 0: none. A page that is seen from several places is asked for at each.
    public func offer(at pc: UInt64, _ mode: UInt64, _ place: GuestPlace, file: Int, to client: StoreClient) {
        let unit = file == 0 ? nil : unit(file)
        repeat {
            offer(at: pc, mode, place, unit, client)
        } while client.wants(pc, mode) && lookAgain(unit)
    }

    private func lookAgain(_ unit: StoreUnit?) -> Bool {
        let isNew = program.lookAgain(self)
        return unit?.lookAgain(self) ?? false || isNew
    }

    private func offer(
        at pc: UInt64, _ mode: UInt64, _ place: GuestPlace, _ unit: StoreUnit?, _ client: StoreClient
    ) {
        let page = pc >> StorePage.bits
        let own = program.file
        if let own, let index = own.index(of: page), let contents = own.contents(index) {
            if own.visit(index, place) {
                for i in 0..<contents.rowCount { offer(contents, i, of: own, client, again: place != .same) }
            } else if place != .same {
                offerAgain(contents, at: pc, of: own, client)
            }
        }
        guard let unit, unit !== program, let file = unit.file, let index = file.index(of: page),
            let contents = file.contents(index)
        else { return }
        if file.visit(index, place), let own, let uses = own.uses(of: page) {
            var row = 0
            for i in 0..<Int(uses.count) {
                guard let used = own.address(uses, i) else { break }
                // Both are in ascending order.
                while row < contents.rowCount, contents.row(row).pc < used { row += 1 }
                offerAll(contents, contents.rows(at: used, from: row), of: file, client)
            }
        }
        if client.wants(pc, mode) {
            newUses += offerAll(contents, contents.rows(at: pc), of: file, client)
        }
    }

    /// Offers some rows of a page; returns how many were installed.
    @discardableResult
    private func offerAll(
        _ contents: StoredPage, _ rows: Range<Int>, of file: StoreFile, _ client: StoreClient
    ) -> Int {
        rows.reduce(0) { $0 + (offer(contents, $1, of: file, client) ? 1 : 0) }
    }

    /// Offers the rows at `pc` when its page was asked for before: a machine's kernel changes its code, and may have made it now what it
    /// was when they were stored. A region that was in use was not worth it.
    private func offerAgain(_ contents: StoredPage, at pc: UInt64, of file: StoreFile, _ client: StoreClient) {
        for at in contents.rows(at: pc) {
            let wasUsed = file.states[Int(contents.page.firstRow) + at] == .installed
            if !wasUsed || !contents.row(at).isOptimized { offer(contents, at, of: file, client, again: true) }
        }
    }

    /// Offers one row, once, or once more.
    @discardableResult
    private func offer(
        _ contents: StoredPage, _ index: Int, of file: StoreFile, _ client: StoreClient, again: Bool = false
    ) -> Bool {
        let ordinal = Int(contents.page.firstRow) + index
        guard again || file.states[ordinal] == .untouched else { return false }
        let row = contents.row(index)
        guard client.wants(row.pc, row.mode), let stored = contents.translation(index, copiedTo: copy),
            stored.pc == row.pc, stored.mode == row.mode
        else { return false }
        switch client.install(stored) {
        case .installed:
            file.states[ordinal] = .installed
            counters.installed += 1
            return true
        case .stale:
            if file.states[ordinal] == .untouched { file.states[ordinal] = .stale }
            counters.stale += 1
            return false
        case .refused: return false
        }
    }
}
