import Options
import Testing

@Suite struct OptionListTests {
    private static func text(_ list: OptionList) -> String {
        list.pairs.map { pair in pair.name + (pair.value.map { "=" + $0 } ?? "") }.joined(separator: ";")
    }

    @Test(arguments: [
        ("a=b,c.d=e", "a=b;c.d=e"), ("a=b,,c,d=", "a=b,c;d="), ("raw,x=1", "driver=raw;x=1"), ("a=b=c", "a=b=c"),
        ("x=1,raw", "x=1;raw"), ("a=,,,,b", "a=,,b"), ("", ""), ("a,", "driver=a;"),
        ("{\"a\": \"b,c\", \"c\": {\"d\": 4096, \"e\": {\"f\": true}}}", "a=b,c;c.d=4096;c.e.f=on"),
        ("{'a': null, 'l': ['x', {'y': -1.5e3}]}", "a=;l.0=x;l.1.y=-1.5e3"), ("{}", ""),
        ("{\"\\u0041\\n\\ud83d\\ude00\": \"\\\"\\\\\"}", "A\n\u{1f600}=\"\\"),
    ])
    func allFormsBecomeOne(_ given: String, _ wanted: String) throws {
        #expect(Self.text(try OptionList(parsing: given, implied: "driver")) == wanted)
    }

    @Test(arguments: [
        ("{", "a name in quotes"), ("{\"a\"}", "':'"), ("{\"a\": }", "a value"), ("{\"a\": 1,}", "a name"),
        ("{\"a\": 1} x", "behind its end"), ("{\"a\": tru}", "a value"), ("{\"a\": 1 \"b\": 2}", "','"),
        ("{\"a\": \"b", "without its end"), ("{\"a\": \"\\ud800\"}", "surrogates"), ("{\"a\": \"\\u12\"}", "four"),
        ("{\"a\": 1, \"a\": 2}", "twice"), ("{\"a\": \"\\", "without its end"), ("{\"a\": [1}", "']'"),
        ("{\"a\": " + String(repeating: "[", count: 100_000), "64 levels"), ("{\"a\": --1}", "a value"),
        ("{\"a\": infinity}", "a value"), ("{\"a\": 0x10}", "a value"), ("{\"a\": '\\ud800\\u0041'}", "surrogates"),
    ])
    func brokenJSONIsRefused(_ text: String, _ mention: String) {
        do throws(OptionError) {
            let list = try OptionList(parsing: text)
            Issue.record("taken: \(list.pairs)")
        } catch { #expect(error.message.contains(mention), "\(error.message)") }
    }

    @Test func whatIsTakenIsKnown() throws {
        var list = try OptionList(parsing: "a=1,file.driver=file,file.x.y=2,on,nooff,size=64K,a=3,yes=yes,rest=4")
        #expect(list.take("a") == "3" && list.take("a") == nil)
        #expect(try list.takeFlag("on") == true && list.takeFlag("off") == false && list.takeFlag("yes") == true)
        #expect(try list.takeSize("size") == 65536)
        var file = list.takeNested("file")
        #expect(file.take("driver") == "file")
        #expect(throws: OptionError("'file.x.y' is no option of a file; there are driver")) { try file.end("a file") }
        var inner = file.takeNested("x")
        #expect(throws: OptionError("file.x.y=2: wanted on or off")) { try inner.takeFlag("y") }
        try inner.end("nothing")
        try file.end("a file")
        #expect(throws: OptionError("'rest' is no option of it; there are a, on, off, yes, size, file.")) {
            try list.end("it")
        }
        #expect(list.take("rest") == "4")
        try list.end("it")
    }
}
