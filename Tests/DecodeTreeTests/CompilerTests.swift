// The decode-table compiler on small tables: what each complaint says and where, and what comes out of a good table.

import Testing

@testable import DecodeTree

/// A header and a few definitions, 12 lines; tables under test follow from line 13.
private let prelude = """
    .protocol Set
    .extensions Extensions
    .arguments Args
    .disassembler Disassembler
    .table Rows
    .extension zx "x"
    .extension zy "y" implies zx
    .width 16
    %a 0:4
    %b 4:s4
    &P a b:Int64
    @p &P %a %b "{name} {a:x},{b:d}"

    """

private func complaints(_ text: String) -> [String] {
    do throws(TableErrors) {
        _ = try compile([(name: "t.decode", text: prelude + text)])
        return []
    } catch {
        return error.errors.map(\.description)
    }
}

@Suite struct ComplaintTests {
    @Test func overlapNamesBothLines() {
        #expect(
            complaints("one 0000000. .... .... @p\ntwo 000000.. 0... .... @p")
                .contains("t.decode:14: 'two' overlaps 'one' at t.decode:13"))
    }

    @Test func bitsMustAddUpToTheWidth() {
        #expect(complaints("one 0000 @p") == ["t.decode:13: 'one' has 4 bits, not 16"])
    }

    @Test func eachVariableBitNeedsAField() {
        #expect(
            complaints("one 000000.. .... .... @p")
                == ["t.decode:13: no field of 'one' reads bits 8 9 (write '-' for bits without meaning)"])
        #expect(complaints("one 000000-- .... .... @p") == [])
    }

    @Test func argumentsNeedValues() {
        #expect(
            complaints("one 00000000 0000 .... &P %a \"one\"")
                == ["t.decode:13: 'one' gives no value to argument 'b' of '&P'"])
        #expect(complaints("one 00000000 .... .... @p c=1").first == "t.decode:13: '&P' has no argument 'c'")
        #expect(
            complaints("one 00000000 0000 .... %a \"one\"")
                == ["t.decode:13: 'one' has no argument set for 'a'"])
    }

    @Test(arguments: [
        ("one 00000000 .... .... @q", "t.decode:13: unknown format '@q'"),
        ("one 00000000 .... .... @p a=%c", "t.decode:13: unknown field '%c'"),
        ("one 00000000 .... .... &Q %a %b \"x\"", "t.decode:13: unknown argument set '&Q'"),
        ("one 00000000 .... .... @p [zz]", "t.decode:13: unknown extension 'zz'"),
        ("one 00000000 .... .... @p over two", "t.decode:13: unknown instruction 'two' after 'over'"),
        (".alias two a=0 \"x\"", "t.decode:13: unknown instruction 'two'"),
        (".extension zz \"z\" implies zw", "t.decode:13: unknown extension 'zw'"),
        (".what 3", "t.decode:13: unknown or incomplete directive '.what'"),
    ])
    func unknownNamesAreErrors(text: String, expected: String) {
        #expect(complaints(text).contains(expected))
    }

    @Test(arguments: [
        ("%a 0:3", "t.decode:13: duplicate field '%a', first defined at t.decode:9"),
        ("&P x", "t.decode:13: duplicate argument set '&P', first defined at t.decode:11"),
        ("@p &P", "t.decode:13: duplicate format '@p', first defined at t.decode:12"),
        (
            "one 00000000 .... .... @p\none 00000001 .... .... @p",
            "t.decode:14: duplicate instruction 'one', first defined at t.decode:13"
        ),
        (".extension zx \"again\"", "t.decode:13: duplicate extension 'zx'"),
        ("&Q x x", "t.decode:13: duplicate argument 'x'"),
    ])
    func duplicateNamesAreErrors(text: String, expected: String) {
        #expect(complaints(text).contains(expected))
    }

    @Test(arguments: [
        ("%c 0", "t.decode:13: '0' is not a piece 'position:length' of a word"),
        ("%c 30:4", "t.decode:13: '30:4' is not a piece 'position:length' of a word"),
        ("%c 0:2 4:s2", "t.decode:13: only the first piece of a field can be signed"),
        ("%c", "t.decode:13: field 'c' has no pieces"),
        ("&Q x:Double", "t.decode:13: 'x:Double' is not an argument 'name' or 'name:Type'"),
        ("{", "t.decode:13: '{' without '}'"),
        ("}", "t.decode:13: '}' without '{'"),
        ("one 00000000 .... .... @p \"open", "t.decode:13: missing \""),
        ("one 00000000 .... .... @p what", "t.decode:13: 'what' does not belong in a row"),
        (".width 8", "t.decode:13: width must be 16 or 32"),
        (
            "%c 16:4\none 00000000 .... .... @p a=%c",
            "t.decode:14: field '%c' reads beyond the 16 bits of the instruction"
        ),
        ("one 00000000 .... .... &P %a %b", "t.decode:13: 'one' has no disassembly text"),
        (
            "one 00000000 .... .... @p \"one {c:x}\"",
            "t.decode:13: the text prints 'c', which is no argument of 'one'"
        ),
        ("one 00000000 .... .... @p \"one {a}\"", "t.decode:13: the text does not say how to print 'a' ('{a:kind}')"),
        (
            "one 00000000 .... .... @p\ntwo 00000001 ---- ---- => one",
            "t.decode:14: 'two' calls 'one' with no arguments, other rows with '&P'"
        ),
    ])
    func malformedEntriesAreErrors(text: String, expected: String) {
        #expect(complaints(text).contains(expected))
    }

    @Test func deadRowsAreErrors() {
        #expect(
            complaints("{\none 00000000 .... .... @p\ntwo 00000000 0000 .... @p\n}")
                == ["t.decode:15: 'two' is never reached: 'one' at t.decode:14 takes all"])
        #expect(complaints("{\none 00000000 .... .... @p [zx]\ntwo 00000000 0000 .... @p\n}") == [])
    }

    @Test func precedenceMustMakeSense() {
        #expect(
            complaints("one 00000000 .... .... @p over two\ntwo 00000001 .... .... @p")
                == ["t.decode:13: 'one' and 'two' do not overlap"])
        #expect(
            complaints("one 00000000 .... .... @p over two\ntwo 00000000 0000 .... @p over one")
                .contains { $0.hasSuffix("goes before itself ('over' makes a circle)") })
    }

    @Test func aTableWithoutHeaderIsAnError() throws {
        let error = try #require(throws: TableErrors.self) { try compile([(name: "t", text: "")]) }
        #expect(error.errors.count == 5)
        #expect(error.errors[0].message == "no table says '.protocol'")
    }
}

@Suite struct MeaningTests {
    private func find(_ text: String, _ word: UInt32, extensions: UInt64 = 0) throws -> String? {
        let table = try resolve([(name: "t.decode", text: prelude + text)])
        return DecisionTree.build(table.patterns).find(word, extensions: extensions)?.name
    }

    @Test func earlierRowsOfAGroupGoFirst() throws {
        let group = "{\none 00000000 0000 .... @p\ntwo 00000000 .... .... @p\n}"
        #expect(try find(group, 0x0003) == "one")
        #expect(try find(group, 0x0013) == "two")
        #expect(try find(group, 0x0113) == nil)
    }

    @Test func overPutsARowBeforeARowOfAnotherPlace() throws {
        let rows = "two 00000000 .... .... @p\none 00000000 0000 .... @p over two"
        #expect(try find(rows, 0x0003) == "one")
        #expect(try find(rows, 0x0013) == "two")
    }

    @Test func aClosedGateFallsThroughToTheNextRowOfItsGroup() throws {
        let group = "{\none 00000000 .... .... @p [zx]\ntwo 00000000 .... .... @p [zx|zy]\n}"
        #expect(try find(group, 0, extensions: 1) == "one")
        #expect(try find(group, 0, extensions: 2) == "two")
        #expect(try find(group, 0, extensions: 0) == nil)
    }

    @Test func fileGatesApplyUntilTheEndOfTheFile() throws {
        let table = try resolve([
            (name: "t.decode", text: prelude + ".gate [zx]\none 00000000 .... .... @p [zy]"),
            (name: "u.decode", text: ".width 16\ntwo 00000001 .... .... @p"),
        ])
        #expect(table.patterns.first { $0.name == "one" }?.allOf == 3)
        #expect(table.patterns.first { $0.name == "two" }?.allOf == 0)
    }

    @Test func generatedSwiftHasOneFunctionPerMeaning() throws {
        let rows = """
            one 00000000 .... .... @p [zx]
            uno 00000001 ---- .... &P %a b=-1 => one
            two 00000010 00000000 "two"
            bad 00000011 -------- => illegal
            .alias one a=0 "zero {b:d}"
            """
        let files = try compile([(name: "t.decode", text: prelude + rows)])
        #expect(files.map(\.name) == generatedFileNames)
        let all = files.map(\.text)
        #expect(all[0].contains("mutating func one(_ a: Args.P) -> Bool"))
        #expect(all[0].contains("mutating func two() -> Bool"))
        #expect(!all[0].contains("func uno") && !all[0].contains("func bad"))
        #expect(all[1].contains("public static var zy: Extensions { Extensions(rawValue: 0x2) }"))
        #expect(all[2].contains("if target.has(allOf: 0x1) { return target.one("))
        #expect(all[2].contains("private func field_b(_ w: UInt32) -> Int32 { signed(w, 4, 4) }"))
        #expect(all[2].contains("Args.P(a: toInt32(field_a(w)), b: -1)"))
        #expect(all[3].contains("if same(number(a.a), 0) { return show(\"zero {d}\", number(a.b)) }"))
        #expect(all[4].contains("public static let count = 3"))
    }

    @Test func fieldsArePutTogetherInOrder() throws {
        let rows = """
            %c 3:s1 0:2 5:1 <<1 +8 !mine
            one 00000000 00.- .... &P b=%a a=%c "one"
            """
        let decoder = try compile([(name: "t.decode", text: prelude + rows)])[2].text
        #expect(
            decoder.contains("{ mine(offset(shifted(append(append(signed(w, 3, 1), w, 0, 2), w, 5, 1), 1), 8)) }"))
    }
}
