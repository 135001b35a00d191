import ExecutionEngine
import Profiling
import TestSupport
import Testing

@testable import ProfileReport

private let example = """
    martlet-profile 1
    P 42 1000000 /bin/prog one%0atwo
    M 10000 20000 0 /no/such/prog
    S 2a 4 O 10010 10200 10300
    S 2a 1 s40 10010 10200
    M 30000 31000 1000 /no/such/lib%25.so
    S 2b 2 t 30010
    S 2b 1 B 99999
    C wall-nanoseconds 9000000
    C cpu-nanoseconds 8000000
    C returns 200
    C return-misses 20
    C lookups 30
    Y 64 write 1 100 0
    Y 64 write 7 5000000 2

    """

@Suite struct RecordedProfileTests {
    @Test func everyLineIsUnderstood() throws {
        let profile = try RecordedProfile(Array(example.utf8))
        #expect(profile.badLines == 0)
        #expect(profile.process == 42)
        #expect(profile.command == "/bin/prog one\ntwo")
        #expect(profile.mappings.map(\.path) == ["/no/such/prog", "/no/such/lib%.so"])
        #expect(profile.samples.map(\.periods) == [4, 1, 2, 1])
        #expect(profile.samples.map(\.activity) == [.optimizedCode, .systemCall, .translating, .baselineCode])
        #expect(profile.samples.map(\.mappings) == [1, 1, 2, 2])
        #expect(profile.samples[0].callers == [0x10200, 0x10300])
        #expect(profile.samples[1].detail == 64)
        #expect(profile.periods == 8)
        // The last totals count.
        #expect(profile.calls.count == 1)
        #expect(profile.calls[64]?.totals == SystemCallTotals(calls: 7, nanoseconds: 5_000_000, errors: 2))
    }

    @Test func whatIsNoProfileIsRefused() {
        for text in ["", "martlet-profile 1", "martlet-profile 2\n", "\n\n", "\u{7f}ELF\n"] {
            #expect(throws: ProfileError.self) { try RecordedProfile(Array(text.utf8)) }
        }
        #expect(throws: ProfileError.self) { try RecordedProfile(contentsOf: "/no/such/file") }
        #expect(throws: ProfileError.self) { try RecordedProfile(contentsOf: "/tmp") }
    }

    /// A line without its end does not count, whatever of it is there.
    @Test func everyTruncationIsRead() throws {
        let bytes = Array(example.utf8)
        for count in ProfileFormat.firstLine.utf8.count + 1..<bytes.count {
            let profile = try RecordedProfile(Array(bytes.prefix(count)))
            #expect(profile.badLines == 0)
            let whole = bytes.prefix(count).split(separator: 10, omittingEmptySubsequences: false).dropLast()
            #expect(profile.samples.count == whole.count { $0.first == UInt8(ascii: "S") })
            _ = Report([profile]).text
        }
    }

    @Test(arguments: [
        "S", "S 1", "S 1 1 O", "S 1 1 Q 1", "S x 1 O 1", "S 1 1 O 1 g", "S 1 fffffffffffffffff O 1",
        "S 1 1 s999999999 1",
        "S 1 1 sx 1", "M 2 1 0 x", "M 1 2", "C x", "C x -1", "C x 99999999999999999999", "P 1 0 x", "P x", "Y 1 x 1 1",
        "Z 1", "?", " ",
    ])
    func badLinesAreCounted(_ line: String) throws {
        let profile = try RecordedProfile(Array((ProfileFormat.firstLine + "\n" + line + "\n").utf8))
        #expect(profile.badLines == 1)
        #expect(profile.samples.isEmpty && profile.mappings.isEmpty)
    }

    @Test(.seeded(1)) func randomChangesAreRead() throws {
        var random = SeededRandom(seed: Seed.current)
        let bytes = Array(example.utf8)
        for round in 0..<Rounds.count(3000) {
            var changed = bytes
            for _ in 0..<4 {
                let at = Int.random(in: 18..<bytes.count, using: &random)
                changed[at] = UInt8.random(in: 0...255, using: &random)
            }
            let profile = try RecordedProfile(changed)
            let report = Report([profile])
            // Every line is a sample, something else, or bad; every period of every sample is in one line of the folded text.
            let samples = changed.split(separator: 10).count { $0.first == UInt8(ascii: "S") }
            let (good, bad) = (profile.samples.count, profile.badLines)
            #expect(good <= samples && samples <= good + bad, "round \(round)")
            let lines = report.folded.utf8.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
            let periods = lines.map { Int($0.split(separator: " ").last ?? "") }
            #expect(!periods.contains(nil), "round \(round): \(lines)")
            #expect(periods.reduce(0) { $0 + ($1 ?? 0) } == profile.periods, "round \(round): \(lines)")
            #expect(report.text.contains("\(profile.samples.count) samples"), "round \(round)")
            #expect(report.html.contains("</html>"), "round \(round)")
        }
    }

    @Test func escapingIsReversible() {
        for text in ["", "plain", "a b", "%", "%41", "line\nline\t\u{1}", "ünïcode"] {
            #expect(ProfileFormat.unescaped(ProfileFormat.escaped(text.utf8)) == text)
            #expect(!ProfileFormat.escaped(text.utf8).contains("\n"))
        }
    }

    @Test func lettersAreDistinct() {
        #expect(Set(Activity.allCases.map(\.letter)).count == Activity.allCases.count)
        for activity in Activity.allCases { #expect(Activity(letter: activity.letter) == activity) }
    }
}

@Suite struct ReportTests {
    @Test func foldedStacksHaveTheOutermostFrameFirst() throws {
        let report = Report([try RecordedProfile(Array(example.utf8))])
        let lines = Set(report.folded.split(separator: "\n").map(String.init))
        // No file has symbols here: a return address counts as the instruction before it.
        #expect(
            lines == [
                "prog;prog+0x2ff;prog+0x1ff;prog+0x10 4", "prog;prog+0x1ff;prog+0x10;[write] 1",
                "prog;lib%.so+0x1010;[translation, baseline] 2", "prog;0x99999 1",
            ])
    }

    /// The characters that separate frames and lines, also in pairs that are one character.
    @Test func namesDoNotBreakFoldedLines() throws {
        let hostile = example.replacing("/no/such/prog", with: "/x/a;b%0d%0ac%0ad")
        let report = Report([try RecordedProfile(Array(hostile.utf8))])
        #expect(report.folded.utf8.count { $0 == 10 } == 4)
        #expect(report.folded.contains("a:b\r:c:d+0x10 4\n"))
    }

    @Test func processesAreAddedUp() throws {
        let profile = try RecordedProfile(Array(example.utf8))
        let report = Report([profile, profile])
        #expect(report.folded.contains("all processes;prog;prog+0x2ff;prog+0x1ff;prog+0x10 8\n"))
        let writes = report.text.split(separator: "\n").first { $0.hasSuffix(" write") }
        #expect(writes?.split(separator: " ").prefix(3).joined(separator: " ") == "0.010 14 4")
    }

    @Test func theTextNamesWhatMatters() throws {
        let text = Report([try RecordedProfile(Array(example.utf8))]).text
        for part in ["optimized code", "prog+0x10", "write", "90.0 returns on the shadow return stack", "4 samples"] {
            #expect(text.contains(part), "\(part) is missing in\n\(text)")
        }
    }

    @Test func pictureAndPageAreSelfContainedAndEscaped() throws {
        let hostile = example.replacing("/no/such/prog", with: "/x/<script>\"&")
        let report = Report([try RecordedProfile(Array(hostile.utf8))])
        for text in [report.svg, report.html] {
            #expect(!text.contains("<script>\"&"))
            #expect(text.contains("&lt;script&gt;&quot;&amp;+0x10"))
            #expect(!text.contains("href=") && !text.contains("src="))
            #expect(text.replacing("http://www.w3.org/2000/svg", with: "").firstRange(of: "http") == nil)
        }
    }

    @Test func numbersAreText() {
        #expect(fixed(0.004, 3) == "0.004")
        #expect(fixed(-1.5, 1) == "-1.5")
        #expect(fixed(12, 0) == "12")
        #expect(fixed(.infinity, 1) == "?")
        #expect(percent(1, of: 0) == "-")
        #expect(grouped(1_234_567) == "1,234,567")
        #expect(grouped(999) == "999")
    }
}
