// What is typed, and what stands in the name of a disk.

import Options

@testable import BlockLayer

extension FuzzTarget {
    /// The input is a text.
    static let options = FuzzTarget(
        name: "options", summary: "options, JSON, names of disks and of servers",
        seeds: {
            [
                "file=disk.img,if=none,id=d,cache.direct=on,throttling.iops-total=100,server.0.host=a,,b",
                #"json:{"driver":"qcow2","file":{"driver":"nbd","server":{"type":"inet","host":"h","port":"1"}},"x":[1,-2.5e3,true,null,"\u00e9\n"]}"#,
                "nbd:unix:/run/x:exportname=y", "nbd://host:10809/name", "nbd+unix:///name?socket=/run/s", "64k",
                "1.5G",
            ].map { Array($0.utf8) }
        },
        run: { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            if let json = try? JSON(parsing: text) {
                let again = try? JSON(parsing: json.text())
                precondition(again?.text() == json.text(), "what is printed reads as something else")
                _ = try? OptionList(json)
            }
            if var list = try? OptionList(parsing: text, implied: "file") {
                _ = try? list.takeFlag("a")
                _ = try? list.takeSize("size")
                _ = try? list.takeNumber("n", 0...10)
                _ = list.takeNested("file")
                _ = try? list.end("fuzz")
            }
            _ = parseSize(text, unit: 1)
            _ = splitAtCommas(text)
            _ = try? BlockSpec(name: text)
            _ = try? NBDAddress(name: text)
        })
}
