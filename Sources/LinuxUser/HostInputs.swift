// What the instructions of a program in user mode take in from outside: the host's.

import GuestKit
import HostOS

extension GuestInputs {
    public static let host = GuestInputs(clock: { _, _, _, _, _ in HostClock.monotonic() })
}
