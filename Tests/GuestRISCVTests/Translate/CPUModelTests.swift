// `-cpu` specifications: what they switch and what is said about wrong ones.

import GuestKit
import GuestRISCV
import Testing

@Suite struct CPUModelTests {
    @Test func defaultModelHasEverythingThatIsPromised() {
        let promised: RISCVExtensions = [
            .rv64, .i, .m, .a, .f, .d, .c, .zicsr, .zifencei, .zba, .zbb, .zbc, .zbs, .zicond, .zicntr, .zihintpause,
            .zicbom, .zicbop, .zicboz, .zfa, .zfhmin, .zcb, .zawrs, .zacas, .zimop,
        ]
        #expect(promised.isSubset(of: RISCVCPU.standard.extensions))
        #expect(RISCVCPU.standard.isaString.hasPrefix("rv64imafdc_zicsr"))
        #expect(RISCVCPU.standard.hardwareCapabilities == 0x112d)
    }

    @Test(arguments: ["=off", "=false", "=no", "=0", "=OFF"])
    func extensionsAreSwitchedOff(_ how: String) throws {
        #expect(!(try RISCVCPU("rv64,zba\(how)")).extensions.contains(.zba))
    }

    @Test func signsSwitchToo() throws {
        #expect(try RISCVCPU("rv64i,+zbb").extensions.contains(.zbb))
        #expect(!(try RISCVCPU("rv64,-zbb").extensions.contains(.zbb)))
    }

    @Test func lastOptionWins() throws {
        #expect(try RISCVCPU("rv64,zbb=off,zbb=on").extensions.contains(.zbb))
    }

    @Test func switchingOnBringsWhatIsNeeded() throws {
        let cpu = try RISCVCPU("rv64i,d=on")
        #expect(RISCVExtensions([.d, .f, .zicsr]).isSubset(of: cpu.extensions))
    }

    @Test func switchingOffTakesWhatDepends() throws {
        let noFloat = try RISCVCPU("rv64,f=off").extensions
        #expect(noFloat.isDisjoint(with: [.f, .d, .zfa, .zfhmin]))
        #expect(noFloat.contains(.zicsr))
        let noCompressed = try RISCVCPU("rv64,c=off").extensions
        #expect(noCompressed.isDisjoint(with: [.c, .zca, .zcb, .zcd, .zcmop]))
        let noAtomics = try RISCVCPU("rv64,a=off").extensions
        #expect(noAtomics.isDisjoint(with: [.a, .zaamo, .zalrsc, .zacas]))
    }

    @Test func groupsSwitchTogether() throws {
        #expect(
            try RISCVCPU("rv64i,g=on,b=on").extensions.isSuperset(of: [.m, .a, .f, .d, .zifencei, .zba, .zbb, .zbs]))
    }

    @Test func wrongSpecificationsAreNamed() {
        let wrong: [(String, RISCVCPUError)] = [
            ("nonsense", .unknownModel("nonsense", .bits64)), ("", .unknownModel("", .bits64)),
            ("rv64,zzz=on", .unknownExtension("zzz")),
            ("rv64,", .notAnOption("")), ("rv64,zba", .notAnOption("zba")), ("rv64,=on", .unknownExtension("")),
            ("rv64,zba=maybe", .badValue(option: "zba", value: "maybe")), ("rv64,v=on", .unsupportedExtension("v")),
            ("rv64,priv=on", .unknownExtension("priv")), ("rv64,rv32=on", .unknownExtension("rv32")),
            ("rv64,i=off", .required("i")), ("rv64,zcmp=on", .conflict("zcmp", "zcd")),
        ]
        for (text, expected) in wrong {
            #expect(error(text) == expected, "\(text)")
            #expect(!expected.description.isEmpty)
        }
    }

    private func error(_ text: String) -> RISCVCPUError? {
        do throws(RISCVCPUError) {
            _ = try RISCVCPU(text)
            return nil
        } catch { return error }
    }

    @Test(arguments: [WordSize.bits32, .bits64]) func helpListsEveryModelAndExtension(_ wordSize: WordSize) {
        let help = RISCVCPUModel.help(wordSize)
        for model in RISCVCPUModel.all(wordSize) { #expect(help.contains("  \(model.name) ")) }
        #expect(help.contains("  zfhmin "))
        #expect(help.contains("  zcf ") == (wordSize == .bits32))
        #expect(!help.contains("  v "))
    }

    @Test(arguments: [WordSize.bits32, .bits64]) func everyModelIsAValidSpecification(_ wordSize: WordSize) throws {
        for model in RISCVCPUModel.all(wordSize) {
            let cpu = try RISCVCPU(model.name.uppercased(), wordSize)
            #expect(cpu.extensions == model.extensions)
            #expect(cpu.extensions.contains(.i))
            #expect(cpu.wordSize == wordSize)
        }
    }

    /// Of the encodings that differ between the two widths a CPU has one half.
    @Test func narrowModelsHaveWhatIsOfRV32Alone() throws {
        #expect(RISCVCPU.standard32.isaString.hasPrefix("rv32imafdc_zicsr"))
        #expect(
            RISCVCPU.standard32.extensions.symmetricDifference(RISCVCPU.standard.extensions) == [.rv32, .rv64, .zcf])
        #expect(try RISCVCPU("rv32imac", .bits32).extensions.isDisjoint(with: [.f, .d]))
        #expect(try RISCVCPU("rv32i,c=on", .bits32).extensions.contains(.zcf))
        #expect(!(try RISCVCPU("rv64i,c=on").extensions.contains(.zcf)))
        #expect(!(try RISCVCPU("rv32,c=off", .bits32).extensions.contains(.zcf)))
        #expect(throws: RISCVCPUError.unknownModel("rv64", .bits32)) { try RISCVCPU("rv64", .bits32) }
        #expect(throws: RISCVCPUError.unsupportedExtension("zcf")) { try RISCVCPU("rv64,zcf=on") }
    }
}
