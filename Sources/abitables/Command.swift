// abitables -o FOLDER TABLE...: packs tables of ABIs into Swift files in a folder. Run by the build plugin.

import ABITables
import Foundation

@main
struct Command {
    static func main() { exit(run(Array(CommandLine.arguments.dropFirst()))) }

    /// The exit status; what is wrong goes to standard error, and nothing is written.
    private static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count >= 3, arguments[0] == "-o" else {
            complain("usage: abitables -o FOLDER TABLE...")
            return 2
        }
        var tables: [(name: String, text: String)] = []
        for path in arguments[2...] {
            do {
                tables.append((path, try String(contentsOfFile: path, encoding: .utf8)))
            } catch {
                complain("\(path): cannot be read: \(error)")
                return 1
            }
        }
        do throws(TableError) {
            for file in try generate(tables) {
                let path = "\(arguments[1])/\(file.name)"
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
            complain(error.description)
            return 1
        }
        return 0
    }

    private static func complain(_ line: String) {
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
    }
}
