import Testing

@testable import Profiling

@Suite struct CallStackTests {
    private func confirm(_ shadow: [UInt64], on stack: [UInt64], isWhole: Bool = true) throws -> [UInt64] {
        var addresses = shadow
        return try addresses.withUnsafeMutableBufferPointer { buffer in
            let base = try #require(buffer.baseAddress)
            return stack.withUnsafeBufferPointer { words in
                Array(buffer.prefix(CallStack.confirm(base, buffer.count, on: words, isWhole: isWhole)))
            }
        }
    }

    @Test func confirmedFramesStay() throws {
        #expect(try confirm([10, 20, 30], on: [0, 10, 5, 20, 7, 30, 9]) == [10, 20, 30])
    }

    @Test func theNewestMayBeInARegister() throws {
        #expect(try confirm([10, 20, 30], on: [0, 20, 7, 30]) == [10, 20, 30])
    }

    @Test func whatALongjmpLeftIsDropped() throws {
        #expect(try confirm([1, 2, 3, 4, 5, 20, 30], on: [20, 0, 30]) == [20, 30])
    }

    /// Recursion that has returned: the ring still has its calls below those that are active.
    @Test func staleOldFramesAreDropped() throws {
        #expect(try confirm([10, 20, 99, 99, 99], on: [10, 0, 20, 0]) == [10, 20])
    }

    @Test func recursionCountsItsFrames() throws {
        #expect(try confirm([7, 7, 7, 7, 7, 30], on: [7, 7, 0, 7, 30]) == [7, 7, 7, 30])
    }

    @Test func whatLiesBeyondTheSearchedPartIsBelieved() throws {
        #expect(try confirm([10, 20, 30, 40], on: [10, 20], isWhole: false) == [10, 20, 30, 40])
    }

    @Test func nothingConfirmedLeavesTheCaller() throws {
        #expect(try confirm([10, 20, 30], on: [0, 0]) == [10])
        #expect(try confirm([10, 20, 30], on: []) == [10])
    }
}
