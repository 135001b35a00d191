// The folder that holds the files of translations: their names, writing one so that readers see the old or the new file and nothing
// else, and the bound on all of them together.

import HostOS

/// Where translations are kept between runs, and what they are for.
public struct StoreOptions: Sendable {
    /// Absolute path of the folder. It is made when there is something to write.
    public var folder: String
    public var kept: KeptFolder
    /// Whatever translations depend on besides guest code.
    public var configuration: StoreIdentity
    /// The name of the program, as `CodeMemory` has it.
    public var program: String
    /// Bytes that all files in the folder may have together.
    public var limit: Int
    /// Fewer new translations than this are not worth writing.
    public var leastNew: Int
    /// One file has what many different runs leave, as a machine's has: what several runs have no use for is left out.
    public var forgetsUnused = false

    public init(
        folder: String, kept: KeptFolder = KeptFolder(), configuration: StoreIdentity, program: String,
        limit: Int = usualLimit, leastNew: Int = 4
    ) {
        self.folder = folder
        self.kept = kept
        self.configuration = configuration
        self.program = program
        self.limit = limit
        self.leastNew = leastNew
    }

    public static let usualLimit = 256 << 20
    static let suffix = ".translations"
    static let temporarySuffix = ".tmp"

    /// What the translations of a file of guest code are for.
    func identity(of file: String) -> StoreIdentity {
        StoreIdentity(describing: "\(configuration.text)\0\(file)".utf8)
    }

    /// Where a file is, as seen from `start`.
    func path(_ identity: StoreIdentity) -> String { path("\(identity.text)\(Self.suffix)") }
    func path(_ name: String) -> String { kept.descriptor < 0 ? "\(folder)/\(name)" : name }
    var start: Int32 { kept.descriptor < 0 ? HostFile.currentFolder : kept.descriptor }

    /// Bytes that one file may have.
    var fileLimit: Int { min(limit / 2, 1 << 30) }
}

enum StoreFolder {
    /// Makes the folder when there is none; an error when it is not the user's alone.
    static func prepare(_ options: StoreOptions) throws(Errno) {
        if options.kept.descriptor < 0 { try HostFile.makeFolders(options.folder) }
        guard isTrusted(options) else { throw .acces }
    }

    /// The folder is the user's alone: nobody else can put files there, or take others' place.
    static func isTrusted(_ options: StoreOptions) -> Bool {
        guard !options.kept.isLost, let folder = try? HostFile.status(path: options.path("."), in: options.start)
        else { return false }
        return folder.isDirectory && folder.isPrivateToUser
    }

    /// A descriptor that only names the folder, which is made where there is none.
    static func open(_ options: StoreOptions) throws(Errno) -> Int32 {
        try prepare(options)
        let flags = HostFile.pathOnly | HostFile.directoryOnly
        return HostFile.moveHigh(try HostFile.openForReading(options.path("."), in: options.start, flags: flags))
    }

    /// Replaces a file in the folder by what `write` writes. Errors say what failed; the folder is then as it was.
    static func replace(
        _ path: String, in options: StoreOptions, _ write: (Int32) throws(Errno) -> Void
    ) throws(Errno) {
        let unique = "\(HostProcess.threadID)-\(HostClock.monotonic())"
        let temporary = "\(path).\(unique)\(StoreOptions.temporarySuffix)"
        let fd = try HostFile.createPrivate(temporary, in: options.start)
        do throws(Errno) {
            defer { HostFile.close(fd) }
            try write(fd)
            try HostFile.rename(temporary, path, in: options.start)
        } catch {
            HostFile.remove(temporary, in: options.start)
            throw error
        }
    }

    /// Removes files, those used longest ago first, until the rest fits the limit; also temporary files of killed processes. Looks at
    /// them every 16th time only when few bytes were written: most programs write little.
    static func bound(_ options: StoreOptions, written: Int) {
        if written < options.limit >> 10, HostClock.monotonic() >> 8 & 15 != 0 { return }
        let hour: Int64 = 3_600_000_000_000
        let now = Int64(truncatingIfNeeded: HostClock.realtime())
        var files: [(path: String, size: Int, time: Int64)] = []
        for name in HostFile.names(in: options.path("."), from: options.start) {
            let path = options.path(name)
            guard name.hasSuffix(StoreOptions.suffix) || name.hasSuffix(StoreOptions.temporarySuffix),
                let status = try? HostFile.status(path: path, in: options.start), status.isRegular
            else { continue }
            if name.hasSuffix(StoreOptions.temporarySuffix) {
                if status.modified < now - hour { HostFile.remove(path, in: options.start) }
            } else {
                files.append((path, Int(status.size), status.modified))
            }
        }
        var total = files.reduce(0) { $0 + $1.size }
        files.sort { $0.time < $1.time }
        for file in files where total > options.limit {
            HostFile.remove(file.path, in: options.start)
            total -= file.size
        }
    }
}
