// The monitor's command for the guest's memory.

import Options
import SystemKit

extension Monitor {
    private static let noBalloon = "Error: No balloon device has been activated\n"

    static var balloonCommand: Command {
        Command(names: ["balloon"], arguments: "SIZE", help: "ask the guest to do with so much memory, in MiB") {
            monitor, given in
            guard let balloon = monitor.sources.balloon else { return noBalloon }
            var words = CommandWords(given, usage: "balloon SIZE")
            do throws(OptionError) {
                let size = try words.size()
                try words.end()
                if size == 0 { throw OptionError("'0' is no size for a guest; wanted a number of MiB") }
                monitor.board.domain.lock.withLock { balloon.setTarget(size) }
                return ""
            } catch { return "Error: \(error.message)\n" }
        }
    }

    var balloonInfo: String {
        guard let balloon = sources.balloon else { return Self.noBalloon }
        return board.domain.lock.withLock {
            "balloon: actual=\(balloon.size >> 20)\n" + balloon.statistics.map { "\($0.name)=\($0.value)\n" }.joined()
        }
    }
}
