// /tmp/perf-PID.map: names for generated code, as Linux perf reads them (tools/perf/Documentation/jit-interface.txt).

import HostOS

/// Appends one line per translation. Lines are single writes, so that threads do not mix them.
final class PerfMap: @unchecked Sendable {
    private let fd: Int32

    init?() {
        guard let fd = try? HostFile.openLog("/tmp/perf-\(HostProcess.processID).map") else { return nil }
        self.fd = fd
    }

    func add(_ address: UInt64, _ size: Int, _ pc: UInt64) {
        writeAll(
            fd, String(address, radix: 16) + " " + String(size, radix: 16) + " guest_0x" + String(pc, radix: 16) + "\n")
    }
}
