import Diagnostics
import Glibc
import HostOS
import TestSupport
import Testing

@Suite struct DiagnosticsTests {
    @Test func itemsAreParsedAndUnknownOnesNamed() throws {
        #expect(try LogItem.parse("in_asm,exec") == [.guestCode, .execution])
        #expect(try LogItem.parse("out_op") == .optimizedOps)
        #expect(try LogItem.parse("all").contains(.systemCalls))
        #expect(throws: DiagnosticsError.unknownItem("nonsense")) { try LogItem.parse("exec,nonsense") }
        for row in LogItem.rows { #expect(try LogItem.parse("\(row.name)") == row.item) }
    }

    /// `-d help`, the log items, and their table in the documentation name the same.
    @Test func everyItemIsDocumented() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let text = String(decoding: try HostFile.contents(root + "/Documentation/Testing.md"), as: UTF8.self)
        let documented = text.split(separator: "`").filter { $0.hasPrefix("-d ") }.map { String($0.dropFirst(3)) }
        let mentioned = text.split(separator: "`").map(String.init)
        for row in LogItem.rows {
            let name = "\(row.name)"
            #expect(documented.contains(name) || mentioned.contains(name), "-d \(name) is not in Testing.md")
        }
        for name in documented where name.allSatisfy({ $0.isLowercase || $0 == "_" }) {
            #expect(throws: Never.self, "Testing.md") { try LogItem.parse(name) }
        }
    }

    @Test func filtersHaveThreeForms() throws {
        #expect(try AddressFilter(parsing: "0x1000..0x2000").ranges == [0x1000...0x2000])
        #expect(try AddressFilter(parsing: "0x1000+0x100").ranges == [0x1000...0x10ff])
        #expect(try AddressFilter(parsing: "0x1000-0x100").ranges == [0xf01...0x1000])
        #expect(try AddressFilter(parsing: "0xffffffffffffffff+16").ranges == [UInt64.max...UInt64.max])
        #expect(try AddressFilter(parsing: "16..17,32..33").contains(33))
        #expect(try !AddressFilter(parsing: "16..17,32..33").contains(18))
        #expect(AddressFilter().contains(5))
        for bad in ["1", "2..1", "..", "1+", "1+0", "x..y", "0x..1", "99999999999999999999..1"] {
            #expect(throws: DiagnosticsError.badFilter(bad)) { try AddressFilter(parsing: bad) }
        }
    }

    @Test func aLogIsEmptiedAtItsStartAndKeptByThoseWhoGoOnWithIt() throws {
        let folder = try TemporaryFolder("log"), path = folder.path + "/log"
        try writeFile(path, Array("older".utf8))
        try Diagnostics(items: "exec", file: path).write("old ")
        try Diagnostics(items: "exec", file: path).write("new ")
        try Diagnostics(items: "exec", file: path, appending: true).write("more")
        #expect(readFile(path) == Array("new more".utf8))
    }

    @Test func anUnwritableLogFileIsAnError() {
        #expect(throws: DiagnosticsError.self) { try Diagnostics(items: "exec", file: "/nonexistent/log") }
    }
}
