// The options of disks.

import BlockLayer
import EngineSetup
import Options

private typealias Option = CommandOption<SystemCommandLine>

let blockOptions: [CommandOption<SystemCommandLine>] =
    [
        Option(
            "blockdev", argument: "DRIVER,node-name=NAME[,PROP=VALUE...]",
            help:
                "a node of the block layer, for drive=NAME of a device: \(BlockSpec.drivers); read-only, discard, detect-zeroes, cache.direct, cache.no-flush, file=NODE or file.PROP=VALUE, backing; also as JSON"
        ) { (line, value) throws(OptionError) in
            let spec = try BlockSpec(parsing: value)
            if spec.name == nil { throw OptionError("no name; wanted node-name=NAME") }
            line.block.nodes.append(spec)
        },
        Option(
            "drive", argument: "file=FILE[,PROP=VALUE...]",
            help:
                "an image: if=none|virtio|scsi, id, index, media=disk|cdrom, format=raw|qcow2, readonly, snapshot, cache, discard, detect-zeroes, werror, rerror, copy-on-read, throttling.bps-total and its kin"
        ) { (line, value) throws(OptionError) in line.block.drives.append(try DriveOption(parsing: value)) },
        Option("cdrom", argument: "FILE", help: "-drive file=FILE,media=cdrom,index=2") {
            (line, value) throws(OptionError) in
            line.block.drives.append(try DriveOption(file: value, index: 2, isDisc: true, origin: "-cdrom "))
        },
        Option("snapshot", help: "what is written to drives is gone when the machine ends") {
            (line, _) throws(OptionError) in line.block.isTemporary = true
        },
    ]
    + ["hda", "hdb", "hdc", "hdd"].enumerated().map { index, name in
        Option(name, argument: "FILE", help: "-drive file=FILE,index=\(index)") { (line, value) throws(OptionError) in
            line.block.drives.append(try DriveOption(file: value, index: index, origin: "-\(name) "))
        }
    }
