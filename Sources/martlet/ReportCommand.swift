// `martlet report`: what a profile says, and taking one in the same go.

import EngineSetup
import HostOS
import ProfileReport

/// The words behind `report`.
struct ReportCommand {
    private var htmlFile: String?
    private var svgFile: String?
    private var isFolded = false
    private var wantsHelp = false
    /// Profiles to be shown as one.
    private var profiles: [String] = []
    /// Options, program and arguments to run first.
    private var program: [[UInt8]]?

    init(_ arguments: [[UInt8]]) throws(CommandError) {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            switch text(word) {
            case "--html", "-html": htmlFile = try Self.file(&rest, word)
            case "--svg", "-svg": svgFile = try Self.file(&rest, word)
            case "--folded", "-folded": isFolded = true
            case "--help", "-help", "-h":
                wantsHelp = true
                return
            case "--":
                program = Array(rest)
                rest = []
            case let other where other.hasPrefix("-") && other.utf8.count > 1:
                throw CommandError("report: unknown option '\(other)'; wanted --html, --svg, --folded or --")
            case let other: profiles.append(other)
            }
        }
        if !profiles.isEmpty, program != nil {
            throw CommandError("report: either profiles or, behind --, a program to run")
        }
        if profiles.isEmpty, program?.isEmpty ?? true {
            throw CommandError(
                "report: no profile; 'martlet run -profile FILE PROGRAM' writes one, and "
                    + "'martlet report -- PROGRAM' does both")
        }
    }

    private static func file(_ rest: inout ArraySlice<[UInt8]>, _ option: [UInt8]) throws(CommandError) -> String {
        guard let name = rest.popFirst(), !name.isEmpty else {
            throw CommandError("report: \(text(option)) wants a file to write")
        }
        return text(name)
    }

    func run() throws(CommandError) -> Int32 {
        if wantsHelp {
            writeStandardOutput(Self.help)
            return 0
        }
        guard let program else {
            try show(profiles, writeStandardOutput)
            return 0
        }
        // A folder: the program's children write profiles of their own.
        let folder = "/tmp/martlet-report-\(HostProcess.processID)"
        let file = folder + "/profile"
        let status: Int32
        do throws(Errno) {
            try HostFile.makeFolder(folder)
            status = try HostProcess.runAgain(["martlet", "run", "-profile", file].map { Array($0.utf8) } + program)
        } catch {
            throw CommandError("report: cannot run the program: \(error.message)")
        }
        let written = HostFile.names(in: folder).sorted().map { folder + "/" + $0 }
        defer {
            for path in written { HostFile.remove(path) }
            HostFile.removeFolder(folder)
        }
        // A program that could not be started has said so, and left no profile. Standard output is the program's.
        if !written.isEmpty { try show(written, writeStandardError) }
        return status
    }

    private func show(_ files: [String], _ write: (String) -> Void) throws(CommandError) {
        var recorded: [RecordedProfile] = []
        do throws(ProfileError) {
            for file in files { recorded.append(try RecordedProfile(contentsOf: file)) }
        } catch {
            throw CommandError("report: \(error)")
        }
        if recorded.contains(where: { $0.period != recorded[0].period }) {
            throw CommandError("report: these profiles were sampled at different rates: one at a time")
        }
        let report = Report(recorded)
        if let svgFile { try save(report.svg, svgFile) }
        if let htmlFile { try save(report.html, htmlFile) }
        write(isFolded ? report.folded : report.text)
    }

    private func save(_ text: String, _ path: String) throws(CommandError) {
        do throws(Errno) { try HostFile.write(text, to: path) } catch {
            throw CommandError("report: \(path): cannot be written: \(error.message)")
        }
    }

    private static let help = """
        usage: martlet report [--html FILE] [--svg FILE] [--folded] PROFILE...
               martlet report [--html FILE] [--svg FILE] [--folded] -- [OPTIONS] PROGRAM [ARGUMENTS...]

        Where the time of a program goes: by function, file, system call and by what Martlet does for it.
        A PROFILE is what 'martlet run -profile PROFILE PROGRAM' has written; several are added up. Behind -- stands what
        'martlet run' takes: it is run, and reported on standard error with its children.

          --html FILE   write a page with all tables and the flame graph
          --svg FILE    write the flame graph alone
          --folded      print stacks as text, one a line, instead of the tables

        """
}
