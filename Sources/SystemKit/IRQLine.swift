// Interrupt lines: from a device to a controller, and from a controller to a hart.

import Synchronization

/// What has inputs for interrupts. Called by any thread, with a device's domain locked or not; it takes a leaf lock at most.
public protocol InterruptController: AnyObject, Sendable {
    /// The input has this level from now on. It is the controller that remembers levels: the same level again changes nothing.
    func setInput(_ input: Int, _ level: Bool)
}

/// One input of a controller, as a device sees it.
public struct IRQLine: Sendable {
    private let controller: (any InterruptController)?
    private let input: Int

    public init(_ controller: any InterruptController, _ input: Int) {
        self.controller = controller
        self.input = input
    }

    private init() {
        controller = nil
        input = 0
    }

    /// A wire that leads nowhere.
    public static let unconnected = IRQLine()

    public func set(_ level: Bool) { controller?.setInput(input, level) }

    /// An edge, for inputs that look for one.
    public func pulse() {
        set(true)
        set(false)
    }
}

/// The lines that lead to a hart: bits of a word of its CPU state (`SystemGuest.interruptLinesOffset`), by the numbers that the manual gives
/// interrupts.
public final class HartLines: InterruptController, @unchecked Sendable {
    private let word: UnsafeMutablePointer<UInt64>
    private let kick: @Sendable () -> Void

    /// `kick`: makes the hart look at the word soon, also when it waits for an interrupt. It waits for nothing itself.
    public init(_ word: UnsafeMutablePointer<UInt64>, kick: @escaping @Sendable () -> Void) {
        self.word = word
        self.kick = kick
    }

    public func line(_ number: Int) -> IRQLine { IRQLine(self, number) }

    public func setInput(_ input: Int, _ level: Bool) {
        let bit = UInt64(1) &<< UInt64(truncatingIfNeeded: input)
        let word = UnsafePointer<Atomic<UInt64>>(OpaquePointer(word))
        if level {
            let old = word.pointee.bitwiseOr(bit, ordering: .sequentiallyConsistent).oldValue
            if old & bit == 0 { kick() }
        } else {
            word.pointee.bitwiseAnd(~bit, ordering: .sequentiallyConsistent)
        }
    }
}
