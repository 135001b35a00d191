// The decode-table compiler on small tables: what each complaint says and where, and what comes out of a good table.

import TestSupport
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

private let layout = (name: "layout.decode", text: ".unit 16\n.order little\n.join low\n.length 15:1 { 1:4 }\n")

private func complaints(_ text: String) -> [String] { complaints(of: prelude + text) }

/// The same for a whole table, behind the layout of 16-bit words.
private func complaints(of text: String, layout: String = layout.text) -> [String] {
    do throws(TableErrors) {
        _ = try compile([(name: "layout.decode", text: layout), (name: "t.decode", text: text)])
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
        ("%c 62:4", "t.decode:13: '62:4' is not a piece 'position:length' of a word"),
        ("%c -1:4", "t.decode:13: '-1:4' is not a piece 'position:length' of a word"),
        ("%c 0:9223372036854775807", "t.decode:13: '0:9223372036854775807' is not a piece 'position:length' of a word"),
        ("%c 0:32 0:32 <<1", "t.decode:13: field 'c' has more than 64 bits"),
        ("%c 0:2 4:s2", "t.decode:13: only the first piece of a field can be signed"),
        ("%c", "t.decode:13: field 'c' has no pieces"),
        ("&Q x:Double", "t.decode:13: 'x:Double' is not an argument 'name' or 'name:Type'"),
        ("{", "t.decode:13: '{' without '}'"),
        ("}", "t.decode:13: '}' without '{'"),
        ("one 00000000 .... .... @p \"open", "t.decode:13: missing \""),
        ("one 00000000 .... .... @p what", "t.decode:13: 'what' does not belong in a row"),
        (".width 12", "t.decode:13: a width is 8, 16, ... 64 bits, not '12'"),
        (".width 72", "t.decode:13: a width is 8, 16, ... 64 bits, not '72'"),
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

@Suite struct LayoutComplaintTests {
    /// Everything but the layout, 8 lines; what is under test follows from line 9.
    private let names = """
        .protocol Set
        .extensions Extensions
        .arguments Args
        .disassembler Disassembler
        .extension zx "x"
        %a 0:4
        &P a
        .table Rows

        """

    private func check(_ layout: String, _ rows: String, _ expected: [String]) {
        #expect(complaints(of: names + rows, layout: layout) == expected)
    }

    @Test(arguments: [
        (".unit 12", "layout.decode:1: a unit is 8, 16 or 32 bits, not '12'"),
        (".unit 64", "layout.decode:1: a unit is 8, 16 or 32 bits, not '64'"),
        (".order middle", "layout.decode:1: an order is little, big or data, not 'middle'"),
        (".join left", "layout.decode:1: units are joined low or high (what the first one is), not 'left'"),
        (".bits msb1", "layout.decode:1: bits are numbered msb0 or lsb0, not 'msb1'"),
        (".unit 16\n.unit 16", "layout.decode:2: '.unit' is said twice"),
        (".join low\n.join high", "layout.decode:2: '.join' is said twice"),
        (".length 0:2", "layout.decode:1: expected: .length position:length { value:bytes ... }"),
        (".length 0:2 3:4", "layout.decode:1: expected: .length position:length { value:bytes ... }"),
        (".length 0 { 3:4 }", "layout.decode:1: expected: .length position:length { value:bytes ... }"),
        (".length 0:2 { 3:4", "layout.decode:1: expected: .length position:length { value:bytes ... }"),
        (".length 0:2 { \"3:4\" }", "layout.decode:1: expected: .length position:length { value:bytes ... }"),
        (".length 0:2 { 3 }", "layout.decode:1: '3' is not a length 'value:bytes'"),
        (".length 0:2 { 4:4 }", "layout.decode:1: 4 is no value of 2 bits"),
        (".length 0:2 { 3:9 }", "layout.decode:1: a word has 1 to 8 bytes, not 9"),
        (".length 0:2 { 3:4 3:2 }", "layout.decode:1: value 3 is listed twice"),
        (".unit", "layout.decode:1: unknown or incomplete directive '.unit'"),
        (".table 1x", "layout.decode:1: '1x' is not a table name"),
        ("{\n.table X\n}", "layout.decode:2: '.table' inside a group"),
    ])
    func malformedDirectivesAreErrors(layout: String, expected: String) {
        #expect(complaints(of: names, layout: layout).first == expected)
    }

    @Test func layoutsMustBeComplete() {
        check("", "", ["t.decode:8: table 'Rows' does not say '.unit'"])
        check(".unit 16", "", ["t.decode:8: table 'Rows' has units of 16 bits and no '.order'"])
        check(".unit 8", ".width 8\none 0000.... &P %a \"one\"", [])
        let long = ".width 32\none 0000000000000000 000000000000.... &P %a \"one\""
        check(
            ".unit 16\n.order little", long, ["t.decode:8: table 'Rows' has words of several units and no '.join'"])
        check(".unit 16\n.order little\n.join low", long, [])
        check(
            ".unit 16\n.order little\n.join low", long + "\n.width 16\ntwo 000000000001.... &P %a \"two\"",
            ["t.decode:8: table 'Rows' has words of 32 and 16 bits and no '.length'"])
    }

    @Test func widthsAreMultiplesOfTheUnit() {
        check(
            ".unit 16\n.order big", ".width 24\none 00000000 00000000 0000.... &P %a \"one\"",
            ["t.decode:10: 'one' has 24 bits, no multiple of the unit of 16 bits"])
        check(
            ".unit 16\n.order big\n.length 0:1 { 1:3 }", "",
            ["layout.decode:3: 3 bytes are no multiple of the unit of 16 bits"])
        check(
            ".unit 8\n.length 6:3 { 1:3 }", "",
            ["layout.decode:2: '.length' looks at up to 16 bits of the first unit, which has 8"])
    }

    @Test func rowsHaveTheLengthThatTheirFirstUnitSays() {
        let low = ".unit 16\n.order little\n.join low\n.length 0:2 { 3:4 }"
        check(
            low, ".width 16\none 0000 0000 0000 --11 => illegal",
            ["t.decode:10: 'one' has 2 bytes, but '.length' says 4 for value 3"])
        check(
            low, ".width 16\none 0000 0000 0000 ---- => illegal",
            ["t.decode:10: 'one' has 2 bytes, but '.length' says 4 for value 3"])
        let long = ".width 32\none 0000000000000011 0000000000000001 => illegal"
        check(low, long, ["t.decode:10: 'one' has 4 bytes, but '.length' says 2 for value 1"])
        check(low.replacing("low", with: "high"), long, [])
        // Counted from the top: the two highest bits.
        check(
            low + "\n.bits msb0", ".width 16\none 11-- ---- ---- ---- => illegal",
            [
                "t.decode:10: 'one' has 2 bytes, but '.length' says 4 for value 3"
            ])
    }

    @Test func fieldsBehindTheWordAreWholeUnits() {
        let rows = "%i +i8\n.width 16\none 00000000 00000000 &P a=%i \"one\""
        check(
            ".unit 16\n.order big", rows, ["t.decode:11: field '%i' has 8 bits, no multiple of the unit of 16 bits"])
        check(
            ".unit 16\n.order big", rows.replacing("i8", with: "i32"),
            ["t.decode:8: table 'Rows' has words of several units and no '.join'"])
        check(".unit 16\n.order big", rows.replacing("i8", with: "i16"), [])
    }

    @Test func fieldsBeyondTheWordAreErrorsFromBothEnds() {
        let rows = ".width 16\n%c 12:5\none 00000000000..... &P a=%c \"one\""
        for bits in ["lsb0", "msb0"] {
            check(
                ".unit 16\n.order big\n.bits \(bits)", rows,
                ["t.decode:11: field '%c' reads beyond the 16 bits of the instruction"])
        }
        // Complaints count as the table does.
        check(
            ".unit 16\n.order big\n.bits msb0", ".width 16\none 0..0000000000000 &P a=1 \"one\"",
            ["t.decode:10: no field of 'one' reads bits 2 1 (write '-' for bits without meaning)"])
    }

    @Test func rowsBelongToOneOfSeveralTables() {
        let layout = ".unit 16\n.order big"
        let one = ".width 16\none 00000000 0000.... &P %a \"one\""
        let both = names + one + "\n.table Other\n" + one
        #expect(complaints(of: both, layout: layout) == [])
        #expect(
            complaints(of: both, layout: layout + "\n.width 16\nzero 00000001 00000000 => illegal")
                == ["layout.decode:4: '.table' must say which table 'zero' belongs to"])
        #expect(
            complaints(of: both + "\ntwo 00000000 00000000 => illegal over one", layout: layout) == [])
        #expect(
            complaints(of: both + "\ntwo 00000000 00000000 => illegal", layout: layout)
                == [
                    "t.decode:14: 'two' overlaps 'one' at t.decode:13",
                    "t.decode:14: 'two' is never reached: 'one' at t.decode:13 takes all",
                ])
        // A table's own fields are not the other's, but everybody's names are taken.
        #expect(
            complaints(
                of: names + "%own 0:4\n.table Other\n.width 16\none 000000000000.... &P a=%own \"one\"", layout: layout)
                == ["t.decode:12: unknown field '%own'"])
        #expect(
            complaints(of: names, layout: layout + "\n%a 0:4")
                == ["t.decode:6: duplicate field '%a', first defined at layout.decode:3"])
        #expect(
            complaints(of: names + "%a 0:3", layout: layout)
                == ["t.decode:9: duplicate field '%a', first defined at t.decode:6"])
        #expect(
            complaints(of: names, layout: layout + "\n.table Other\n%a 0:4")
                == ["t.decode:6: duplicate field '%a', first defined at layout.decode:4"])
    }

    @Test func tablesHaveUnitsOfTheirOwn() {
        let text = names + ".unit 16\n.order little\n.width 16\none 000000000000.... &P %a \"one\"\n"
        #expect(complaints(of: text + ".table Other\n.unit 32\n.width 32\n.order big", layout: "") == [])
        #expect(
            complaints(of: text + ".table Other\n.unit 32\n.order big\none 000000000000.... &P %a \"one\"", layout: "")
                == ["t.decode:16: '.width' must come before the first row"])
        #expect(
            complaints(of: text + ".table Other\n.width 16\none 000000000000.... &P %a \"one\"", layout: "")
                == ["t.decode:13: table 'Other' does not say '.unit'"])
    }
}

@Suite struct EntryComplaintTests {
    @Test(arguments: [
        ("%c +i24", "t.decode:13: '+i24' is not a field behind the word: +i or +u and 8, 16, 32 or 64 bits"),
        ("%c +u", "t.decode:13: '+u' is not a field behind the word: +i or +u and 8, 16, 32 or 64 bits"),
        ("%c +i16 +u16", "t.decode:13: a field has one '+i' or '+u' only"),
        ("%c +i16 0:4", "t.decode:13: field 'c' is in the word and behind it"),
        ("%c <<2", "t.decode:13: field 'c' has no pieces"),
        ("%1 0:4", "t.decode:13: '%1' is not a field name"),
        ("%c 0:4 \"x\"", "t.decode:13: a field has neither text nor gate"),
        ("%c 0:4 !", "t.decode:13: '!' is not a function '!name'"),
        ("&1 x", "t.decode:13: '&1' is not an argument set name"),
        ("&Q \"x\"", "t.decode:13: an argument set is a list of names"),
        ("@1 &P", "t.decode:13: '@1' is not a format name"),
        ("@q &P what", "t.decode:13: 'what' does not belong in a format"),
        ("@q &P a=b", "t.decode:13: 'a=b' does not belong in a format"),
        ("@q &P [zx]", "t.decode:13: a format has no gate"),
        ("1x 00000000 .... .... @p", "t.decode:13: '1x' is not an instruction name"),
        ("[zx] one", "t.decode:13: a line starts with a name, not with a quoted text or a gate"),
        ("{\n{\n}", "t.decode:14: groups do not nest"),
        (".extension 1x \"x\"", "t.decode:13: '1x' is not an extension name"),
        (".extension all \"x\"", "t.decode:13: 'all' is not an extension name"),
        (".extension zz zx", "t.decode:13: expected: .extension name \"summary\" [implies names]"),
        (".protocol 1x", "t.decode:13: '1x' is not the name of a type"),
        (".protocol Other", "t.decode:13: '.protocol' is said twice"),
        (".gate [a|!b]", "t.decode:13: an alternative 'a|b' cannot be negated: 'a|!b'"),
        (".alias one a=0", "t.decode:13: an alias needs a text to print"),
        (".alias one a \"x\"", "t.decode:13: expected argument=value, found 'a'"),
        (".alias one a=0 [zx] \"x\"", "t.decode:13: an alias has no gate"),
        (
            "one 00000000 .... .... @p\n.alias one c=0 \"x\"", "t.decode:14: 'one' has no argument 'c'"
        ),
        ("one 00000000 .... .... @p => 1x", "t.decode:13: a name must follow '=>'"),
        ("one 00000000 .... .... @p => a,b", "t.decode:13: a name must follow '=>'"),
        ("one 00000000 .... .... @p over 1x", "t.decode:13: a name must follow 'over'"),
        ("%c 0:4 <<64", "t.decode:13: '<<64' is not a piece 'position:length' of a word"),
        ("&Q x roles", "t.decode:13: a role must follow 'roles'"),
        ("&Q x roles y:x.r x", "t.decode:13: '&Q' has no argument 'y'"),
        ("&Q x y roles x:x.r", "t.decode:13: argument 'y' of '&Q' has no role"),
        ("&Q x roles x x", "t.decode:13: argument 'x' has two roles"),
        ("@q &P roles", "t.decode:13: a role must follow 'roles'"),
        ("@q &P class", "t.decode:13: a class must follow 'class'"),
        (
            "@q &P %a %b roles c:x.r \"q\"\none 00000000 .... .... @q",
            "t.decode:13: 'one' has no argument 'c' for a role"
        ),
        ("one 00000000 .... .... @p roles c", "t.decode:13: 'one' has no argument 'c' for a role"),
        ("one 00000000 .... .... @p roles => two", "t.decode:13: a role must follow 'roles'"),
        ("one 00000000 .... .... @p class", "t.decode:13: a class must follow 'class'"),
        ("one 00000000 .... .... @p =>", "t.decode:13: a name must follow '=>'"),
        ("one 00000000 .... .... @p [!zx|zy]", "t.decode:13: an alternative 'a|b' cannot be negated: '!zx|zy'"),
        ("one 00000000 .... .... @p [!zz]", "t.decode:13: unknown extension 'zz'"),
        ("one 00000000 .... .... @p [zx !zx]", "t.decode:13: the gate of 'one' contradicts itself"),
        ("one 00000000 .... .... @p [zx|zy !zx]", "t.decode:13: the gate of 'one' contradicts itself"),
        (
            "one 00000000 .... .... @p [zx|zy zy|zx]",
            "t.decode:13: a gate can have only one alternative 'a|b'"
        ),
        (
            "&Q x:UInt8\n%c 0:9\none 0000000......... &Q x=%c \"x\"",
            "t.decode:15: field '%c' does not fit argument 'x' of type UInt8"
        ),
        (
            "&Q x:UInt8\n%c 0:s4\none 000000000000.... &Q x=%c \"x\"",
            "t.decode:15: field '%c' does not fit argument 'x' of type UInt8"
        ),
        (
            "&Q x\n%c +u32\none 0000000000000000 &Q x=%c \"x\"",
            "t.decode:15: field '%c' does not fit argument 'x' of type Int32"
        ),
        (
            "&Q x:UInt64\n%c +i16\none 0000000000000000 &Q x=%c \"x\"",
            "t.decode:15: field '%c' does not fit argument 'x' of type UInt64"
        ),
        (
            "&Q x\n%c 0:4 <<28\none 000000000000.... &Q x=%c \"x\"",
            "t.decode:15: field '%c' does not fit argument 'x' of type Int32"
        ),
        ("&Q x:UInt8\none 0000000000000000 &Q x=256 \"x\"", "t.decode:14: 256 does not fit argument 'x' of type UInt8"),
        ("&Q x:UInt64\none 0000000000000000 &Q x=-1 \"x\"", "t.decode:14: -1 does not fit argument 'x' of type UInt64"),
    ])
    func malformedEntriesAreErrors(text: String, expected: String) {
        #expect(complaints(text).contains(expected), "\(complaints(text))")
    }

    @Test func unknownClassesAreErrors() {
        for entry in ["@q &P class load|mad", "one 00000000 .... .... @p class load|mad"] {
            #expect(
                complaints(entry).first?.hasPrefix("t.decode:13: unknown class 'mad': there are load, store,") == true)
        }
        #expect(complaints("one 00000000 .... .... @p class load|") != [])
    }

    @Test(arguments: ["a:", "a:x.", "a:x.q", "a:x.r.w", "a::x", "a:x:y", "1a:x", "a.r"])
    func malformedRolesAreErrors(role: String) {
        let expected =
            "t.decode:13: '\(role)' is not a role 'argument', 'argument:kind' or 'argument:kind.access' of r, w and a"
        for entry in ["&Q a roles \(role)", "@q &P roles \(role)", "one 00000000 .... .... @p roles \(role)"] {
            #expect(complaints(entry).contains(expected))
        }
    }

    /// Tables with a few characters or lines changed compile or are refused; what is refused has a place.
    @Test(.seeded(3)) func damagedTablesNeverTrap() {
        var random = SeededRandom(seed: Seed.current)
        let good = Array(
            (prelude + """
                %c +i16 <<2 +4
                &Q x y:UInt64 roles x:x.rw y
                @q &Q x=%a class load|fp "{name} {x:x},{y:d}"
                {
                  one 00000000 0000 .... @q y=5 [zx !zy] over three
                  two 00000000 ---- .... &P %a b=%c "two {a:x}" roles a:f.w => two over three
                }
                three 0000000- .... .... @p [zx|zy]
                .alias one x=0 "nothing"
                """).utf8)
        let letters = Array(" \n.:%&@!+<>=|{}[]\"0123456789-srwxiu".utf8)
        #expect(complaints(String(decoding: good.dropFirst(prelude.utf8.count), as: UTF8.self)) == [])
        for _ in 0..<Rounds.count(500) {
            var text = good
            for _ in 0...random.below(4) {
                let place = random.below(text.count)
                switch random.below(4) {
                case 0: text[place] = letters[random.below(letters.count)]
                case 1: text.insert(letters[random.below(letters.count)], at: place)
                case 2: text.remove(at: place)
                default: text.removeSubrange(place..<min(text.count, place + random.below(30)))
                }
            }
            for complaint in complaints(of: String(decoding: text, as: UTF8.self)) {
                #expect(complaint.hasPrefix("t.decode:") || complaint.contains("no table says"))
            }
        }
    }

    @Test func setsOfExtensionsHaveALimit() {
        func many(_ count: Int) -> String { (0..<(count - 2)).map { ".extension e\($0) \"\"\n" }.joined() }
        #expect(complaints(many(256) + "one 00000000 .... .... @p [zx e253]") == [])
        #expect(
            complaints(many(258))
                == ["t.decode:267: an extension set has at most 256 extensions"])
    }

    @Test func rowsWhoseGatesExcludeEachOtherMayOverlap() {
        let one = "one 00000000 .... .... @p [zx]\n"
        #expect(complaints(one + "two 00000000 .... .... @p [!zx]") == [])
        #expect(complaints(one + "two 00000000 .... .... @p [zy !zx]") == [])
        #expect(complaints("one 00000000 .... .... @p [zx|zy]\ntwo 00000000 .... .... @p [!zx !zy]") == [])
        #expect(
            complaints(one + "two 00000000 .... .... @p [!zy]")
                == ["t.decode:14: 'two' overlaps 'one' at t.decode:13"])
    }

    @Test func rowsBehindAGateThatIsOpenWheneverTheirsIsAreDead() {
        func group(_ first: String, _ second: String) -> [String] {
            complaints("{\none 00000000 .... .... @p \(first)\ntwo 00000000 0000 .... @p \(second)\n}")
        }
        let dead = ["t.decode:15: 'two' is never reached: 'one' at t.decode:14 takes all"]
        #expect(group("[zx]", "[zx zy]") == dead)
        #expect(group("[!zx]", "[zy !zx]") == dead)
        #expect(group("[zx|zy]", "[zy]") == dead)
        #expect(group("[zx|zy]", "[zx|zy]") == dead)
        #expect(group("[zx]", "[zx|zy]") == [])
        #expect(group("[zx zy]", "[zx]") == [])
        #expect(group("[!zx]", "[zy]") == [])
    }
}

@Suite struct MeaningTests {
    private func find(_ text: String, _ word: UInt64, extensions: UInt64 = 0) throws -> String? {
        let table = try resolve([layout, (name: "t.decode", text: prelude + text)])
        return DecisionTree.build(table.patterns).find(word, extensions: ExtensionBits(words: [extensions]))?.name
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
            layout, (name: "t.decode", text: prelude + ".gate [zx]\none 00000000 .... .... @p [zy]"),
            (name: "u.decode", text: ".width 16\ntwo 00000001 .... .... @p"),
        ])
        #expect(table.patterns.first { $0.name == "one" }?.gate.allOf.words == [3])
        #expect(table.patterns.first { $0.name == "two" }?.gate.isEmpty == true)
    }

    @Test func generatedSwiftHasOneFunctionPerMeaning() throws {
        let rows = """
            one 00000000 .... .... @p [zx]
            uno 00000001 ---- .... &P %a b=-1 => one
            two 00000010 00000000 "two"
            bad 00000011 -------- => illegal
            .alias one a=0 "zero {b:d}"
            """
        let files = try compile([layout, (name: "t.decode", text: prelude + rows)])
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
        let decoder = try compile([layout, (name: "t.decode", text: prelude + rows)])[2].text
        #expect(
            decoder.contains("{ mine(offset(shifted(append(append(signed(w, 3, 1), w, 0, 2), w, 5, 1), 1), 8)) }"))
    }
}
