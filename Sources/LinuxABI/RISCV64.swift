// The riscv64 Linux ABI: RISC-V ELF psABI (registers), Linux include/uapi/asm-generic (numbers, structures).

extension LinuxGuestABI {
    public static let riscv64: LinuxGuestABI = {
        var abi = LinuxGuestABI(
            machine: "riscv64",
            elfMachine: 243,
            pageSize: 4096,
            addressLimit: 0x40_0000_0000,  // sv39: the layout every Linux program on this architecture works with
            registers: SystemCallRegisters(
                number: "x17", arguments: ["x10", "x11", "x12", "x13", "x14", "x15"], result: "x10", stackPointer: "x2",
                threadPointer: "x4"),
            systemCall: { number in
                number < UInt64(SystemCallID.asmGenericCount)
                    ? SystemCallID(rawValue: UInt16(truncatingIfNeeded: number)) : nil
            },
            stat: .asmGeneric,
            epollEvent: .natural,
            semaphoreSet: .asmGeneric,
            signalAction: .asmGeneric)
        abi.processorDescription = "isa\t\t: rv64imafdc_zicntr_zicsr_zifencei\nmmu\t\t: sv39\nuarch\t\t: martlet"
        abi.hardwareProbe = { key in
            switch key {
            case 0, 1, 2: 0  // RISCV_HWPROBE_KEY_MVENDORID, MARCHID, MIMPID
            case 3: 1  // BASE_BEHAVIOR: IMA
            case 4: 1 | 2  // IMA_EXT_0: FD, C
            case 5: 3  // CPUPERF_0: misaligned accesses are fast
            case 7: 0x3f_ffff_ffff  // HIGHEST_VIRT_ADDRESS
            default: nil
            }
        }
        return abi
    }()
}
