// Floating point: in progress.
import CodeGen
import IR
extension Lowering {
    mutating func arithmetic(_ row: RVM, _ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func squareRoot(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func multiplyAdd(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func minMax(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func sign(_ row: RVM, _ mask: UInt, _ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func copySign(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func compareFloat(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func roundToIntegral(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func convertFormat(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func toInteger(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func fromInteger(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func box(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func unbox(_ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
    mutating func getFlags(_ s: StepPointer) { fatalError("floating point") }
    mutating func setFlags(_ s: StepPointer) { fatalError("floating point") }
    mutating func setRounding(_ s: StepPointer) { fatalError("floating point") }
    mutating func coldFloat(_ stub: ColdStub, _ s: StepPointer, _ op: OpPointer) { fatalError("floating point") }
}
