// The files that programs write their process's number to.

import HostOS

extension PIDFile {
    /// What an option names; nil: nothing.
    public static func make(_ path: String?, _ option: String) throws(CommandError) -> PIDFile? {
        guard let path else { return nil }
        do throws(Failure) { return try PIDFile(path) } catch {
            switch error {
            case .held: throw CommandError("\(option) \(path): another process that runs has it; wanted another file")
            case .notAFile: throw CommandError("\(option) \(path): wanted the name of a plain file")
            case .failed(let errno): throw CommandError("\(option) \(path): \(errno.message)")
            }
        }
    }
}
