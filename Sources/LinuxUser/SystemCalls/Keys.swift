// keyctl(2): what its four operands are depends on the operation. Keys and keyrings are the host kernel's, which knows the guest's
// processes and threads by themselves.

import CLinux
import HostOS

enum KeyCalls {
    private enum Operand {
        case number
        /// A string or bytes that the kernel reads; null is allowed.
        case input
        /// Bytes that the kernel writes: as many as the operand of that number says (1...4).
        case output(lengthIn: Int)
        /// As many as a structure of the operation's has.
        case outputOf(bytes: UInt64)
    }

    private static func operands(_ operation: Int32) -> InlineArray<4, Operand>? {
        switch operation {
        case 0, 3, 4, 5, 7, 8, 9, 13, 14, 15, 16, 18, 19, 21, 22, 30, 32: [.number, .number, .number, .number]
        case 1: [.input, .number, .number, .number]  // KEYCTL_JOIN_SESSION_KEYRING
        case 2, 12: [.number, .input, .number, .number]  // KEYCTL_UPDATE, INSTANTIATE
        case 6, 11, 17: [.number, .output(lengthIn: 3), .number, .number]  // KEYCTL_DESCRIBE, READ, GET_SECURITY
        case 10, 29: [.number, .input, .input, .number]  // KEYCTL_SEARCH, RESTRICT_KEYRING
        case 24: [.number, .number, .input, .outputOf(bytes: 56)]  // KEYCTL_PKEY_QUERY: struct keyctl_pkey_query
        case 28: [.input, .input, .input, .input]  // KEYCTL_PKEY_VERIFY
        case 31: [.output(lengthIn: 2), .number, .number, .number]  // KEYCTL_CAPABILITIES
        default: nil
        }
    }

    static func keyctl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let operation = call.int32(0)
        func pass(_ a1: Int, _ a2: Int, _ a3: Int, _ a4: Int) -> Int {
            kernel(SYS_keyctl, Int(operation), a1, a2, a3, a4)
        }
        switch operation {
        case 20:  // KEYCTL_INSTANTIATE_IOV
            return try withVectors(thread, call.a2, count: call.a3, writes: false) { vectors, count in
                pass(call.word(1), call.a2 == 0 ? 0 : vectors, count, call.word(4))
            }
        case 25...27:  // KEYCTL_PKEY_ENCRYPT, DECRYPT, SIGN: struct keyctl_pkey_params has the output's length at 8
            let length = (try? thread.load(call.a1 &+ 8, as: UInt32.self)) ?? 0
            return pass(
                thread.optionalInput(call.a1, 40), thread.optionalInput(call.a2, 1), thread.optionalInput(call.a3, 1),
                thread.optionalOutput(call.a4, UInt64(length)))
        case 23:  // KEYCTL_DH_COMPUTE: with a derivation function its parameters hold pointers
            guard call.a4 == 0 else {
                reportUnimplemented(thread, "keyctl operation 23 with a derivation function")
                throw .opnotsupp
            }
            return pass(thread.optionalInput(call.a1, 12), thread.optionalOutput(call.a2, call.a3), call.word(3), 0)
        default: break
        }
        guard let operands = operands(operation) else {
            reportUnimplemented(thread, "keyctl operation \(operation)")
            throw .opnotsupp
        }
        var words = InlineArray<4, Int>(repeating: 0)
        for index in 0..<4 {
            let value = call[index + 1]
            switch operands[index] {
            case .number: words[index] = Int(truncatingIfNeeded: value)
            case .input: words[index] = thread.optionalInput(value, 1)
            case .output(let length): words[index] = thread.optionalOutput(value, call[length])
            case .outputOf(let bytes): words[index] = thread.optionalOutput(value, bytes)
            }
        }
        return pass(words[0], words[1], words[2], words[3])
    }
}
