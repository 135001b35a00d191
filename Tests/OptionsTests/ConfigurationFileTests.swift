import Testing

@testable import Options

@Suite struct ConfigurationFileTests {
    @Test func groupsHaveTheirPairsInOrder() throws {
        let file = try ConfigurationFile(
            parsing: "# comment\n\n[machine]\n  type = \"virt\"\r\n\t[device \"a b\"]\n x=\"1=2,3\"\n x = \"\"\n[name]")
        #expect(file.groups.map(\.head) == ["[machine]", "[device \"a b\"]", "[name]"])
        #expect(file.groups[0].pairs == [OptionList.Pair(name: "type", value: "virt")])
        #expect(
            file.groups[1].pairs == [
                OptionList.Pair(name: "x", value: "1=2,3"), OptionList.Pair(name: "x", value: ""),
            ])
        #expect(file.groups.map(\.line) == [3, 5, 8])
    }

    @Test(arguments: [
        ("a = \"b\"", "line 1"), ("[a]\nb", "line 2"), ("[a]\nb = c", "line 2"), ("[a]\nb c = \"d\"", "line 2"),
        ("[a]\nb = \"c\"d\"", "line 2"), ("[a", "line 1"), ("[]", "line 1"), ("[\"a\"]", "line 1"), ("[a b]", "line 1"),
        ("[a \"b\" c]", "line 1"), ("[a]\n = \"b\"", "line 2"), ("[a]\nb = \"", "line 2"),
    ])
    func whatIsWrongIsSaidWithItsLine(_ text: String, _ mention: String) {
        do throws(OptionError) {
            let file = try ConfigurationFile(parsing: text)
            Issue.record("taken: \(file.groups)")
        } catch { #expect(error.message.contains(mention) && error.message.contains("wanted"), "\(error.message)") }
    }
}
