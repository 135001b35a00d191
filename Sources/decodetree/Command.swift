// decodetree -o FOLDER [-p PREFIX] TABLE...: compiles decode tables to Swift files in a folder, whose names begin with
// the prefix. Run by the build plugin.

import DecodeTree
import Foundation

@main
struct Command {
    static func main() { exit(run(Array(CommandLine.arguments.dropFirst()))) }

    /// The exit status; what is wrong goes to standard error, one line each, and nothing is written.
    private static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count >= 3, arguments[0] == "-o" else {
            complain("usage: decodetree -o FOLDER [-p PREFIX] TABLE...")
            return 2
        }
        let folder = arguments[1]
        let hasPrefix = arguments[2] == "-p" && arguments.count >= 5
        let prefix = hasPrefix ? arguments[3] : ""
        var tables: [(name: String, text: String)] = []
        for path in arguments[(hasPrefix ? 4 : 2)...] {
            do {
                tables.append((path, try String(contentsOfFile: path, encoding: .utf8)))
            } catch {
                complain("\(path): cannot be read: \(error)")
                return 1
            }
        }
        do throws(TableErrors) {
            for file in try compile(tables, prefix: prefix) {
                let path = "\(folder)/\(file.name)"
                // An unchanged file keeps its date, so that nothing is compiled again because of it.
                if (try? String(contentsOfFile: path, encoding: .utf8)) == file.text { continue }
                do {
                    try file.text.write(toFile: path, atomically: true, encoding: .utf8)
                } catch {
                    complain("\(path): cannot be written: \(error)")
                    return 1
                }
            }
        } catch {
            for one in error.errors { complain("\(one)") }
            return 1
        }
        return 0
    }

    private static func complain(_ line: String) {
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
    }
}
