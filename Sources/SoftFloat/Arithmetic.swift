// Addition, multiplication, division, square root and fused multiply-add (IEEE 754-2019, 5.4.1): special operands first,
// then an exact or jammed significand, then one rounding.

extension Core {
    @inline(__always)
    static func add(_ a: Bits, _ b: Bits, negateB: Bool, _ status: inout Status) -> Bits {
        if !isFinite(a) || !isFinite(b) { return addSpecial(a, b, negateB, &status) }
        let x = unpack(a)
        var y = unpack(b)
        y.isNegative = y.isNegative != negateB
        return x.isNegative == y.isNegative ? addMagnitudes(x, y, &status) : subtractMagnitudes(x, y, &status)
    }

    @inline(never)
    private static func addSpecial(_ a: Bits, _ b: Bits, _ negateB: Bool, _ status: inout Status) -> Bits {
        if isNaN(a) || isNaN(b) { return propagate(a, b, 0, &status) }
        let bIsNegative = isNegative(b) != negateB
        if !isInfinite(a) { return signed(F.infinity, bIsNegative) }
        if isInfinite(b) && isNegative(a) != bIsNegative { return invalid(&status) }
        return a
    }

    @inline(__always)
    private static func addMagnitudes(_ x: Number, _ y: Number, _ status: inout Status) -> Bits {
        let (big, small) = x.exponent < y.exponent ? (y, x) : (x, y)
        let distance = big.exponent &- small.exponent
        // One bit of head room; the bit that it costs at the bottom is not in use.
        let sum = (big.significand &>> 1) &+ small.significand.shiftedRightJamming(distance &+ 1)
        if sum == 0 { return signed(0, x.isNegative) }
        let zeros = sum.leadingZeroBitCount
        let significand = sum &<< Work(truncatingIfNeeded: zeros)
        return round(x.isNegative, big.exponent &+ 1 &- zeros, significand, &status)
    }

    /// x + y of opposite signs.
    @inline(__always)
    private static func subtractMagnitudes(_ x: Number, _ y: Number, _ status: inout Status) -> Bits {
        var big = x
        var small = y
        if x.exponent < y.exponent || (x.exponent == y.exponent && x.significand < y.significand) {
            (big, small) = (y, x)
        }
        let distance = big.exponent &- small.exponent
        // Bits are lost only when the distance is large, and then at most one leading bit cancels.
        let difference = big.significand &- small.significand.shiftedRightJamming(distance)
        if difference == 0 { return cancelledZero(status) }
        let zeros = difference.leadingZeroBitCount
        let significand = difference &<< Work(truncatingIfNeeded: zeros)
        return round(big.isNegative, big.exponent &- zeros, significand, &status)
    }

    @inline(__always)
    static func multiply(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits {
        let isNegativeResult = isNegative(a ^ b)
        if !isFinite(a) || !isFinite(b) {
            if isNaN(a) || isNaN(b) { return propagate(a, b, 0, &status) }
            if isZero(a) || isZero(b) { return invalid(&status) }
            return signed(F.infinity, isNegativeResult)
        }
        let x = unpack(a)
        let y = unpack(b)
        if x.significand == 0 || y.significand == 0 { return signed(0, isNegativeResult) }
        let (product, exponent) = exactProduct(x, y)
        return round(isNegativeResult, exponent, product.jammedHigh, &status)
    }

    /// The exact product of two numbers that are not zero, left-justified.
    @inline(__always)
    private static func exactProduct(_ x: Number, _ y: Number) -> (DoubleWord<Work>, exponent: Int) {
        let full = x.significand.multipliedFullWidth(by: y.significand)
        let product = DoubleWord<Work>(high: full.high, low: Work(truncatingIfNeeded: full.low))
        let zeros = product.high.leadingZeroBitCount
        return (product.shiftedLeft(zeros), x.exponent &+ y.exponent &+ 1 &- zeros)
    }

    @inline(__always)
    static func divide(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits {
        let isNegativeResult = isNegative(a ^ b)
        if !isFinite(a) || !isFinite(b) {
            if isNaN(a) || isNaN(b) { return propagate(a, b, 0, &status) }
            if isFinite(a) { return signed(0, isNegativeResult) }
            return isFinite(b) ? signed(F.infinity, isNegativeResult) : invalid(&status)
        }
        let x = unpack(a)
        let y = unpack(b)
        if y.significand == 0 {
            if x.significand == 0 { return invalid(&status) }
            status.raise(.divideByZero)
            return signed(F.infinity, isNegativeResult)
        }
        if x.significand == 0 { return signed(0, isNegativeResult) }
        // Halve the dividend when needed: the quotient then fills the word exactly. Its lowest bit is not in use.
        let isBelow = x.significand < y.significand
        let dividend = isBelow ? x.significand : x.significand &>> 1
        let (quotient, remainder) = y.significand.dividingFullWidth((dividend, 0))
        let exponent = x.exponent &- y.exponent &- (isBelow ? 1 : 0)
        return round(isNegativeResult, exponent, quotient | (remainder == 0 ? 0 : 1), &status)
    }

    @inline(__always)
    static func squareRoot(_ a: Bits, _ status: inout Status) -> Bits {
        if isNaN(a) { return propagate(a, 0, 0, &status) }
        if isZero(a) { return a }
        if isNegative(a) { return invalid(&status) }
        if isInfinite(a) { return a }
        let x = unpack(a)
        // An even exponent, and a radicand whose root has its leading one in the word's second bit. The bits shifted
        // out are not in use.
        let n = x.significand &>> (x.exponent & 1 == 0 ? 3 : 2)
        let (s, r) = Work.root(of: n)
        let halfWidth = Work(truncatingIfNeeded: Work.bitWidth &>> 1)
        let (root, remainder) = Work.extendRoot(s, r, low: 0, digits: halfWidth)
        return round(false, x.exponent &>> 1, (root &<< 1) | (remainder == 0 ? 0 : 1), &status)
    }

    @inline(__always)
    static func fusedMultiplyAdd(
        _ a: Bits, _ b: Bits, _ c: Bits, _ negateProduct: Bool, _ negateAddend: Bool, _ status: inout Status
    ) -> Bits {
        let productIsNegative = isNegative(a ^ b) != negateProduct
        let addendIsNegative = isNegative(c) != negateAddend
        if !isFinite(a) || !isFinite(b) || !isFinite(c) {
            return fusedSpecial(a, b, c, productIsNegative, addendIsNegative, &status)
        }
        let x = unpack(a)
        let y = unpack(b)
        let z = unpack(c)
        if x.significand == 0 || y.significand == 0 {
            if z.significand != 0 || productIsNegative == addendIsNegative {
                return signed(c & magnitudeMask, addendIsNegative)
            }
            return cancelledZero(status)
        }
        let (product, productExponent) = exactProduct(x, y)
        let addend = DoubleWord<Work>(high: z.significand, low: 0)
        // A product can lie below what the format holds, but not below zero.
        let addendExponent = z.significand == 0 ? productExponent : z.exponent
        let distance = productExponent &- addendExponent

        if productIsNegative == addendIsNegative {
            let sum: DoubleWord<Work>
            if distance >= 0 {
                sum = product.shiftedRightJamming(1) &+ addend.shiftedRightJamming(distance &+ 1)
            } else {
                sum = addend.shiftedRightJamming(1) &+ product.shiftedRightJamming(1 &- distance)
            }
            let zeros = sum.high.leadingZeroBitCount
            let exponent = Swift.max(productExponent, addendExponent) &+ 1 &- zeros
            return round(productIsNegative, exponent, sum.shiftedLeft(zeros).jammedHigh, &status)
        }

        var difference: DoubleWord<Work>
        var isNegativeResult = productIsNegative
        if distance > 0 || (distance == 0 && !(product < addend)) {
            difference = product &- addend.shiftedRightJamming(distance)
        } else {
            difference = addend &- product.shiftedRightJamming(0 &- distance)
            isNegativeResult = addendIsNegative
        }
        if difference.isZero { return cancelledZero(status) }
        let zeros = difference.leadingZeroBitCount
        difference = difference.shiftedLeft(zeros)
        let exponent = Swift.max(productExponent, addendExponent) &- zeros
        return round(isNegativeResult, exponent, difference.jammedHigh, &status)
    }

    @inline(never)
    private static func fusedSpecial(
        _ a: Bits, _ b: Bits, _ c: Bits, _ productIsNegative: Bool, _ addendIsNegative: Bool, _ status: inout Status
    ) -> Bits {
        let isInvalidProduct = (isInfinite(a) && isZero(b)) || (isZero(a) && isInfinite(b))
        if isNaN(a) || isNaN(b) || isNaN(c) {
            if isInvalidProduct && !status.nan.quietAddendHidesInvalidProduct { status.raise(.invalid) }
            return propagate(a, b, c, &status)
        }
        if isInvalidProduct { return invalid(&status) }
        let isInfiniteProduct = isInfinite(a) || isInfinite(b)
        if !isInfinite(c) { return signed(F.infinity, productIsNegative) }
        if isInfiniteProduct && productIsNegative != addendIsNegative { return invalid(&status) }
        return signed(F.infinity, addendIsNegative)
    }
}
