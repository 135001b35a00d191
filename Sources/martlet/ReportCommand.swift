// `martlet report`: what a profile says, and taking one in the same go.

import EngineSetup
import HostOS
import Options
import ProfileReport

struct ReportLine: Sendable {
    var htmlFile: String?
    var svgFile: String?
    var isFolded = false
    var wantsHelp = false
}

private typealias Option = CommandOption<ReportLine>

private func file(_ value: String) throws(OptionError) -> String {
    guard !value.isEmpty else { throw OptionError("wanted a file to write") }
    return value
}

let reportOptions: [CommandOption<ReportLine>] = [
    Option("html", argument: "FILE", help: "write a page with all tables and the flame graph") {
        (line, value) throws(OptionError) in line.htmlFile = try file(value)
    },
    Option("svg", argument: "FILE", help: "write the flame graph alone") {
        (line, value) throws(OptionError) in line.svgFile = try file(value)
    },
    Option("folded", help: "print stacks as text, one a line, instead of the tables") {
        (line, _) throws(OptionError) in line.isFolded = true
    },
    Option("h", "help", help: "print this help and exit") { (line, _) throws(OptionError) in line.wantsHelp = true },
]

/// The words behind `report`.
struct ReportCommand {
    private var line = ReportLine()
    /// Profiles to be shown as one.
    private var profiles: [String] = []
    /// Options, program and arguments to run first.
    private var program: [[UInt8]]?

    init(_ arguments: [[UInt8]]) throws(CommandError) {
        let end = arguments.firstIndex(of: Array("--".utf8))
        program = end.map { Array(arguments[($0 + 1)...]) }
        var rest = arguments[..<(end ?? arguments.endIndex)].map(text)[...]
        while !rest.isEmpty {
            let read = try Option.read(Array(rest), reportOptions, into: &line, usage: "martlet report -h")
            if line.wantsHelp { return }
            rest = rest.dropFirst(read)
            if let profile = rest.popFirst() { profiles.append(profile) }
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

    func run() throws(CommandError) -> Int32 {
        if line.wantsHelp {
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
        if let svgFile = line.svgFile { try save(report.svg, svgFile) }
        if let htmlFile = line.htmlFile { try save(report.html, htmlFile) }
        write(line.isFolded ? report.folded : report.text)
    }

    private func save(_ text: String, _ path: String) throws(CommandError) {
        do throws(Errno) { try HostFile.write(text, to: path) } catch {
            throw CommandError("report: \(path): cannot be written: \(error.message)")
        }
    }

    private static let help =
        """
        usage: martlet report [OPTIONS] PROFILE...
               martlet report [OPTIONS] -- [RUN-OPTIONS] PROGRAM [ARGUMENTS...]

        Where the time of a program goes: by function, file, system call and by what Martlet does for it.
        A PROFILE is what 'martlet run -profile PROFILE PROGRAM' has written; several are added up. Behind -- stands what
        'martlet run' takes: it is run, and reported on standard error with its children.


        """ + reportOptions.map { $0.helpLine(dash: "--") }.joined()
}
