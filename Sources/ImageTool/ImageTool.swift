// The tool for disk images: `martlet img`, by QEMU's name qemu-img. Output and exit codes are those of qemu-img 10, so that scripts
// written for it work.

import BlockLayer
import EngineSetup
import HostOS

/// What ends a command: its lines for standard error, and the exit code.
struct ImageFailure: Error {
    var lines: [String]
    var status: Int32
    private(set) var prefix = "qemu-img: "

    init(_ line: String, status: Int32 = 1) {
        lines = [line]
        self.status = status
    }

    /// A command line that cannot be understood.
    init(usage line: String, _ command: String?) {
        lines = [line, "Try 'qemu-img \(command.map { $0 + " " } ?? "")--help' for more info"]
        status = 1
    }

    init(badOption line: String, _ command: String) {
        self.init(usage: line, command)
        prefix = "qemu-img \(command): "
    }

    init(opening name: String, _ error: BlockError) {
        let text = error.description, plain = "\(name): \(error.errno.message)"
        let inner = text == plain ? "Could not open '\(name)': \(error.errno.message)" : text
        self.init("Could not open '\(name)': \(inner)")
        if error.errno == .again { lines.append("Is another process using the image [\(name)]?") }
    }
}

/// A command: its name, what it takes, and what it does.
struct ImageCommand: Sendable {
    let name: String
    let usage: String
    let help: String
    /// Names of its options in the table of all.
    let options: [String]
    let run: @Sendable (ImageLine) throws(ImageFailure) -> Int32
}

let imageCommands: [ImageCommand] = [
    ImageCommand(
        name: "bench", usage: "[-f FMT] [-w] [-c COUNT] [-d DEPTH] [-o OFFSET] [-s SIZE] [-S STEP] [-t CACHE] FILE",
        help: "see how fast an image is", options: ["f", "q", "U"], run: benchImage),
    ImageCommand(
        name: "check", usage: "[-f FMT] [-r leaks|all] [--output=json] FILE",
        help: "see whether an image's tables agree",
        options: ["f", "output", "r", "q", "T", "U"], run: checkImage),
    ImageCommand(
        name: "commit", usage: "[-f FMT] [-d] FILE", help: "write what an image has into its backing file",
        options: ["f", "t", "d", "q", "p"], run: commitImage),
    ImageCommand(
        name: "compare", usage: "[-f FMT] [-F FMT] [-s] FILE1 FILE2", help: "see whether two images show the same",
        options: ["f", "F", "T", "s", "q", "p", "U"], run: compareImages),
    ImageCommand(
        name: "convert", usage: "[-c] [-f FMT] [-O FMT] [-o OPTIONS] [-S SIZE] FILE OUTPUT",
        help: "copy an image to another format",
        options: ["f", "O", "o", "c", "p", "q", "n", "S", "t", "T", "U", "W", "m", "B", "F"], run: convertImage),
    ImageCommand(
        name: "create", usage: "[-f FMT] [-b BACKING -F FMT] [-o OPTIONS] FILE [SIZE]", help: "make a new image",
        options: ["f", "b", "F", "o", "u", "q"], run: createImage),
    ImageCommand(
        name: "dd", usage: "[-f FMT] [-O FMT] [bs=SIZE] [count=N] [skip=N] if=FILE of=OUTPUT",
        help: "copy a part of an image to a new one", options: ["f", "O", "U"], run: copyPart),
    ImageCommand(
        name: "info", usage: "[-f FMT] [--output=json] [--backing-chain] FILE", help: "tell what an image is",
        options: ["f", "output", "backing-chain", "U"], run: showImage),
    ImageCommand(
        name: "map", usage: "[-f FMT] [--output=json] FILE", help: "tell where an image has its data",
        options: ["f", "output", "U", "s", "l"], run: mapImage),
    ImageCommand(
        name: "measure", usage: "[-f FMT] [-O FMT] [-o OPTIONS] [--output=json] {FILE | --size SIZE}",
        help: "tell how big an image would be", options: ["f", "O", "o", "output", "size", "U"], run: measureImage),
    ImageCommand(
        name: "rebase", usage: "[-f FMT] [-u] -b BACKING [-F FMT] FILE", help: "give an image another backing file",
        options: ["f", "u", "b", "F", "p", "q", "t", "T", "U"], run: rebaseImage),
    ImageCommand(
        name: "resize", usage: "[-f FMT] [--shrink] FILE [+|-]SIZE", help: "make an image bigger or smaller",
        options: ["f", "shrink", "q"], run: resizeImage),
    ImageCommand(
        name: "snapshot", usage: "[-l | -c NAME | -a NAME | -d NAME] FILE", help: "snapshots inside of an image",
        options: ["l", "a", "c", "d", "q", "U", "f"], run: snapshotImage),
]

/// Runs the tool. `arguments`: without the program's name. Returns the exit code.
public func runImageTool(_ arguments: [String]) -> Int32 {
    do throws(ImageFailure) { return try run(arguments) } catch {
        let first = error.lines.first.map { error.prefix + $0 + "\n" } ?? ""
        writeStandardError(first + error.lines.dropFirst().map { $0 + "\n" }.joined())
        return error.status
    }
}

private func run(_ arguments: [String]) throws(ImageFailure) -> Int32 {
    guard let word = arguments.first else { throw ImageFailure(usage: "Not enough arguments", nil) }
    switch word {
    case "-h", "--help", "help":
        writeStandardOutput(
            "usage: martlet img COMMAND [OPTIONS]\n\nCommands:\n"
                + imageCommands.map { "  \($0.name) \($0.usage)\n      \($0.help)\n" }.joined()
                + "\nFormats: \(imageFormats.joined(separator: " "))\n")
        return 0
    case "-V", "--version":
        writeStandardOutput("martlet img, with the commands and output of qemu-img 10\n")
        return 0
    default: break
    }
    guard let command = imageCommands.first(where: { $0.name == word }) else {
        throw ImageFailure(usage: "Command not found: \(word)", nil)
    }
    let line = try ImageLine(parsing: Array(arguments.dropFirst()), command)
    if line.wantsHelp {
        writeStandardOutput(
            "usage: martlet img \(command.name) \(command.usage)\n\(command.help)\n\nOptions:\n"
                + command.options.compactMap { name in
                    imageOptions.first { $0.names.contains(name) }?.helpLine(dash: "--")
                }
                .joined())
        return 0
    }
    return try command.run(line)
}
