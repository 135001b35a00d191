// What the kernel itself shows of this process in /proc/PID, to every observer: the guest's arguments, environment,
// auxiliary vector, code, data and stack in place of Martlet's (prctl(2), PR_SET_MM_MAP). The kernel reads arguments and
// environment where the guest has them, so a title that the guest writes over them shows at once.
//
// The call is one of CONFIG_CHECKPOINT_RESTORE and needs no privilege. Where it is refused, the process keeps
// Martlet's command line, and sees its own through `ProcFile`.

import CLinux
import HostOS

extension GuestProcess {
    /// Tells the kernel where the guest's things are. The process has one thread yet: the end of the host's heap is
    /// among the values that the kernel takes as a whole.
    func showToKernel(stackPointer: UInt64) {
        // Where the host's heap begins is not known. Its last page is within it: that is what the kernel needs to make the
        // mapping longer, and not another one behind it.
        let heapEnd = HostMemory.heapEnd, heapStart = heapEnd - HostProcess.pageSize
        // AT_NULL, also for a guest of 32 bits, whose vector is shorter than the kernel takes it to be.
        var vector = auxiliaryVectorBytes + [UInt8](repeating: 0, count: 16)
        vector += [UInt8](repeating: 0, count: -vector.count & 15)
        isShownByKernel = vector.withUnsafeBytes { vector in
            // struct prctl_mm_map (include/uapi/linux/prctl.h).
            let map: InlineArray<13, UInt64> = [
                image.code.lowerBound, image.code.upperBound, image.data.lowerBound, image.data.upperBound,
                heapStart, heapEnd, stackPointer,
                argumentStrings.lowerBound, argumentStrings.upperBound,
                environmentStrings.lowerBound, environmentStrings.upperBound,
                UInt64(UInt(bitPattern: vector.baseAddress)), UInt64(vector.count) | Self.sameExecutable,
            ]
            return withUnsafePointer(to: map) {
                kernel(SYS_prctl, Self.setMemory, Self.setMap, Int(bitPattern: $0), 13 * 8, 0) == 0
            }
        }
    }

    private static let setMemory = 35, setMap = 14
    /// The field exe_fd: the kernel keeps its link to Martlet's file, which is mapped.
    private static let sameExecutable: UInt64 = 0xffff_ffff << 32
}
