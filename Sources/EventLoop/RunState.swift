// What a machine is doing, and which way that may change.

public enum RunState: String, CaseIterable, Sendable {
    /// Made, and not started yet.
    case prelaunch
    case running
    case paused
    /// The guest has put the machine to sleep.
    case suspended
    /// A debugger has stopped it.
    case debug
    /// It has been switched off.
    case shutdown
    /// A disk has failed, or is full.
    case ioError = "io-error"
    /// Martlet itself cannot go on with it.
    case internalError = "internal-error"

    /// Where it may go from here.
    public var successors: [RunState] {
        switch self {
        case .prelaunch: [.running, .paused, .debug, .shutdown, .internalError]
        case .running: [.paused, .suspended, .debug, .shutdown, .ioError, .internalError]
        case .paused: [.prelaunch, .running, .debug, .shutdown]
        case .ioError: [.prelaunch, .running, .paused, .debug, .shutdown]
        case .suspended: [.prelaunch, .running, .paused, .debug, .shutdown]
        case .debug: [.prelaunch, .running, .paused, .suspended, .shutdown]
        case .shutdown: [.prelaunch, .paused]
        case .internalError: [.prelaunch, .paused, .shutdown]
        }
    }
}

/// Who wanted a machine to end or to begin anew.
public enum RunCause: Equatable, Sendable {
    /// The guest, by a device; with the status that it ends with.
    case guest(status: Int32)
    case monitor
    case signal(Int32)
    /// The window or terminal, as by Ctrl-A x.
    case user

    public var isGuest: Bool { if case .guest = self { true } else { false } }
    /// The exit status of the process where the machine ends for this.
    public var status: Int32 { if case .guest(let status) = self { status } else { 0 } }
}

public enum RunEvent: Equatable, Sendable {
    case shutdown(RunCause), reset(RunCause), powerdown, stop(RunState), resume, suspend, wakeup
}
