// Instructions and their IR (TranslationTextTests.swift).

let translations = """
    00c58533  add a0,a1,a2
      x10 = add.i64 x11, x12

    00c00533  add a0,zero,a2
      x10 = mov.i64 x12

    00058513  addi a0,a1,0
      x10 = mov.i64 x11

    00558013  addi zero,a1,5

    ff900513  li a0,-7
      x10 = mov.i64 -7

    40c58033  sub zero,a1,a2

    00c5853b  addw a0,a1,a2
      %63 = add.i64 x11, x12
      x10 = sextract.i64 %63, 0, 32

    0005851b  sext.w a0,a1
      x10 = sextract.i64 x11, 0, 32

    0055d51b  srliw a0,a1,5
      x10 = extract.i64 x11, 5, 27

    0005d51b  srliw a0,a1,0
      x10 = sextract.i64 x11, 0, 32

    4075d51b  sraiw a0,a1,7
      x10 = sextract.i64 x11, 7, 25

    00c5953b  sllw a0,a1,a2
      %64 = and.i64 x12, 31
      %65 = shl.i64 x11, %64
      x10 = sextract.i64 %65, 0, 32

    40c5d53b  sraw a0,a1,a2
      %63 = sextract.i64 x11, 0, 32
      %65 = and.i64 x12, 31
      x10 = sar.i64 %63, %65

    80000537  lui a0,0x80000
      x10 = mov.i64 -0x80000000

    00001517  auipc a0,1
      x10 = mov.i64 0x11000

    ff85a503  lw a0,-8(a1)
      x10 = gld.i64.s32 [x11 - 8]

    0015c003  lbu zero,1(a1)
      %63 = gld.i64.u8 [x11 + 1]

    00a13823  sd a0,16(sp)
      gst.i64.u64 [x2 + 16], x10

    00013823  sd zero,16(sp)
      gst.i64.u64 [x2 + 16], 0

    00b50863  beq a0,a1,.+16
      brcond.eq.i64 x10, x11, block1, block2
    block1 @0x10010:
      goto_tb 0, 0x10010
    block2 @0x10004:
      goto_tb 1, 0x10004

    feb068e3  bltu zero,a1,.-16
      brcond.ltu.i64 0, x11, block1, block2
    block1 @0xfff0:
      goto_tb 0, 0xfff0
    block2 @0x10004:
      goto_tb 1, 0x10004

    040000ef  jal ra,.+64
      x1 = mov.i64 0x10004
      push_return 0, 0x10004
      goto_tb 1, 0x10040

    0080006f  j .+8

    004500e7  jalr ra,4(a0)
      %64 = add.i64 x10, 4
      %66 = and.i64 %64, -2
      x1 = mov.i64 0x10004
      push_return 0, 0x10004
      goto_cached 1, -1, %66

    000082e7  jalr t0,0(ra)
      %64 = and.i64 x1, -2
      x5 = mov.i64 0x10004
      push_return 0, 0x10004
      goto_cached 1, -1, %64

    00008067  ret
      %64 = and.i64 x1, -2
      lookup_and_goto.return %64

    00078067  jr a5
      %64 = and.i64 x15, -2
      goto_cached 0, -1, %64

    02c5a533  mulhsu a0,a1,a2
      %64 = sar.i64 x11, 63
      %65 = and.i64 %64, x12
      %66 = mulhu.i64 x11, x12
      x10 = sub.i64 %66, %65

    02c5c533  div a0,a1,a2
      %64 = add.i64 x12, 1
      %65 = select.leu.i64 %64, 1, 1, x12
      %66 = divs.i64 x11, %65
      %68 = neg.i64 x11
      %69 = select.eq.i64 x12, -1, %68, %66
      x10 = select.eq.i64 x12, 0, -1, %69

    02c5e53b  remw a0,a1,a2
      %63 = sextract.i64 x11, 0, 32
      %64 = sextract.i64 x12, 0, 32
      %67 = select.eq.i64 %64, 0, 1, %64
      %68 = rems.i64 %63, %67
      x10 = select.eq.i64 %64, 0, %63, %68

    02c5d53b  divuw a0,a1,a2
      %63 = extract.i64 x11, 0, 32
      %64 = extract.i64 x12, 0, 32
      %68 = select.eq.i64 %64, 0, 1, %64
      %69 = divu.i64 %63, %68
      %70 = select.eq.i64 %64, 0, -1, %69
      x10 = sextract.i64 %70, 0, 32

    1405a52f  lr.w.aq a0,(a1)
      %63 = gld.i64.s32.al [x11]
      fence.ll.ls
      st.i64.u64 [520], x11
      st.i64.u64 [528], %63
      x10 = mov.i64 %63

    1605352f  lr.d.aqrl a0,(a0)
      fence.ll.ls.sl.ss
      %63 = gld.i64.u64.al [x10]
      fence.ll.ls
      st.i64.u64 [520], x10
      st.i64.u64 [528], %63
      x10 = mov.i64 %63

    18c5a52f  sc.w a0,a2,(a1)
      %63 = ld.i64.u64 [520]
      st.i64.u64 [520], -1
      brcond.eq.i64 x11, %63, block1, block2
    block1:
      %65 = ld.i64.u64 [528]
      %66 = gcas.i64.s32.al [x11], %65, x12
      x10 = setcond.ne.i64 %66, %65
      br block3
    block2 cold:
      %68 = grmw.or.i64.s32.al [x11], 0
      x10 = mov.i64 1
      br block3
    block3:

    1ac5b02f  sc.d.rl zero,a2,(a1)
      %63 = ld.i64.u64 [520]
      st.i64.u64 [520], -1
      brcond.eq.i64 x11, %63, block1, block2
    block1:
      %65 = ld.i64.u64 [528]
      %66 = gcas.i64.u64.al [x11], %65, x12
      br block3
    block2 cold:
      %68 = grmw.or.i64.u64.al [x11], 0
      br block3
    block3:

    00c5a52f  amoadd.w a0,a2,(a1)
      x10 = grmw.add.i64.s32.al [x11], x12

    e0c5b02f  amomaxu.d zero,a2,(a1)
      %63 = grmw.umax.i64.u64.al [x11], x12

    28c5a52f  amocas.w a0,a2,(a1)
      x10 = gcas.i64.s32.al [x11], x10, x12

    0330000f  fence rw,rw
      fence.ll.ls.sl.ss

    8330000f  fence.tso
      fence.ll.ls.ss

    0000100f  fence.i
      st.i64.u64 [512], 0x10004
      exit_tb 18

    00000073  ecall
      st.i64.u64 [512], 0x10004
      exit_tb 16

    00100073  ebreak
      st.i64.u64 [512], 0x10000
      exit_tb 0x300000014

    0100000f  pause
      st.i64.u64 [512], 0x10004
      exit_tb 19

    20c5c533  sh2add a0,a1,a2
      %64 = shl.i64 x11, 2
      x10 = add.i64 %64, x12

    0805853b  zext.w a0,a1
      x10 = extract.i64 x11, 0, 32

    2875d513  orc.b a0,a1
      %64 = and.i64 x11, 0x7f7f7f7f7f7f7f7f
      %65 = add.i64 %64, 0x7f7f7f7f7f7f7f7f
      %66 = or.i64 %65, x11
      %67 = andc.i64 %66, 0x7f7f7f7f7f7f7f7f
      %69 = shl.i64 %67, 1
      %71 = shr.i64 %67, 7
      x10 = sub.i64 %69, %71

    60c5953b  rolw a0,a1,a2
      %63 = trunc x11
      %64 = trunc x12
      %65 = rotl.i32 %63, %64
      x10 = sext %65

    6035d51b  roriw a0,a1,3
      %63 = trunc x11
      %65 = rotr.i32 %63, 3
      x10 = sext %65

    6005951b  clzw a0,a1
      %63 = trunc x11
      %64 = clz.i32 %63
      x10 = sext %64

    0ac5d533  minu a0,a1,a2
      x10 = select.ltu.i64 x11, x12, x11, x12

    0ac5b533  clmulh a0,a1,a2
      %63 = extract.i64 x11, 0, 32
      %64 = extract.i64 x11, 32, 32
      %65 = extract.i64 x12, 0, 32
      %66 = extract.i64 x12, 32, 32
      %67 = clmul.i64 %64, %65
      %68 = clmul.i64 %63, %66
      %69 = xor.i64 %67, %68
      %70 = clmul.i64 %64, %66
      %72 = shr.i64 %69, 32
      x10 = xor.i64 %70, %72

    4a859513  bclri a0,a1,40
      x10 = and.i64 x11, -0x10000000001

    4a85d513  bexti a0,a1,40
      x10 = extract.i64 x11, 40, 1

    0ec5d533  czero.eqz a0,a1,a2
      x10 = select.eq.i64 x12, 0, 0, x11

    0045200f  cbo.zero (a0)
      %64 = and.i64 x10, -64
      gst.i64.u64 [%64], 0
      gst.i64.u64 [%64 + 8], 0
      gst.i64.u64 [%64 + 16], 0
      gst.i64.u64 [%64 + 24], 0
      gst.i64.u64 [%64 + 32], 0
      gst.i64.u64 [%64 + 40], 0
      gst.i64.u64 [%64 + 48], 0
      gst.i64.u64 [%64 + 56], 0

    0025200f  cbo.flush (a0)
      %64 = and.i64 x10, -64
      %65 = gld.i64.u8 [%64]

    02156013  prefetch.r 32(a0)

    00102573  frflags a0
      x10 = fp_get_flags

    00159573  fsflags a0,a1
      %63 = fp_get_flags
      fp_set_flags x11
      x10 = mov.i64 %63

    00105073  fsflagsi 0
      fp_set_flags 0

    00251573  fsrm a0,a0
      %63 = ld.i64.u32 [536]
      %64 = extract.i64 x10, 0, 3
      x10 = mov.i64 %63
      st.i64.u32 [536], %64
      fp_set_rounding %64
      brcond.ltu.i64 %64, 4, block1, block2
    block2 cold:
      st.i64.u64 [512], 0x10004
      exit_tb 17
    block1:

    0020d073  fsrmi 1
      st.i64.u32 [536], 1
      fp_set_rounding 1

    00225073  fsrmi 4
      st.i64.u32 [536], 4
      fp_set_rounding 4
      st.i64.u64 [512], 0x10004
      exit_tb 17

    00302573  frcsr a0
      %64 = fp_get_flags
      %65 = ld.i64.u32 [536]
      %67 = shl.i64 %65, 5
      %68 = or.i64 %64, %67
      x10 = mov.i64 %68

    0035a573  csrrs a0,fcsr,a1
      %63 = fp_get_flags
      %64 = ld.i64.u32 [536]
      %66 = shl.i64 %64, 5
      %67 = or.i64 %63, %66
      %68 = or.i64 %67, x11
      fp_set_flags %68
      %69 = extract.i64 %68, 5, 3
      x10 = mov.i64 %67
      st.i64.u32 [536], %69
      fp_set_rounding %69
      brcond.ltu.i64 %69, 4, block1, block2
    block2 cold:
      st.i64.u64 [512], 0x10004
      exit_tb 17
    block1:

    c0102573  rdtime a0
      x10 = call clock()

    c0202573  csrr a0,instret
      x10 = call clock()

    c0051073  csrw cycle,a0
      st.i64.u64 [512], 0x10000
      exit_tb 0x200000014

    30002573  csrr a0,mstatus
      st.i64.u64 [512], 0x10000
      exit_tb 0x200000014

    0045a507  flw fa0,4(a1)
      %63 = gld.f32.u32 [x11 + 4]
      f10 = boxf.b32 %63

    00a5b427  fsd fa0,8(a1)
      gst.f64.u64 [x11 + 8], f10

    00259507  flh fa0,2(a1)
      %63 = gld.i64.u16 [x11 + 2]
      %65 = or.i64 %63, -0x10000
      f10 = bitcast.f64 %65

    00a59127  fsh fa0,2(a1)
      %63 = bitcast.i64 f10
      gst.i64.u16 [x11 + 2], %63

    02c5f553  fadd.d fa0,fa1,fa2
      f10 = fadd.f64 f11, f12

    02c59553  fadd.d fa0,fa1,fa2,rtz
      f10 = fadd.f64.rtz f11, f12

    02c5c553  fadd.d fa0,fa1,fa2,rmm
      f10 = fadd.f64.rmm f11, f12

    00c5f553  fadd.s fa0,fa1,fa2
    10b57553  fmul.s fa0,fa0,fa1
    00a52027  fsw fa0,0(a0)
      %63 = unboxf.b32 f11
      %64 = unboxf.b32 f12
      %65 = fadd.f32 %63, %64
      f10 = boxf.b32 %65
      %66 = fmul.f32 %65, %63
      f10 = boxf.b32 %66
      gst.f32.u32 [x10], %66

    68c5f543  fmadd.s fa0,fa1,fa2,fa3
      %63 = unboxf.b32 f11
      %64 = unboxf.b32 f12
      %65 = unboxf.b32 f13
      %66 = fma.f32 %63, %64, %65
      f10 = boxf.b32 %66

    6ac5f54b  fnmsub.d fa0,fa1,fa2,fa3
      f10 = fma.f64.negproduct f11, f12, f13

    5a05f553  fsqrt.d fa0,fa1
      f10 = fsqrt.f64 f11

    22b58553  fmv.d fa0,fa1
      f10 = mov.f64 f11

    22a50553  fmv.d fa0,fa0

    20b59553  fneg.s fa0,fa1
      %63 = unboxf.b32 f11
      %64 = fneg.f32 %63
      f10 = boxf.b32 %64

    20c58553  fsgnj.s fa0,fa1,fa2
      %63 = unboxf.b32 f11
      %64 = unboxf.b32 f12
      %65 = fcopysign.copy.f32 %63, %64
      f10 = boxf.b32 %65

    2ac58553  fmin.d fa0,fa1,fa2
      f10 = fmin.f64 f11, f12

    a2c59553  flt.d a0,fa1,fa2
      x10 = fsetcond.slt.f64 f11, f12

    a0c5a053  feq.s zero,fa1,fa2
      %63 = unboxf.b32 f11
      %64 = unboxf.b32 f12
      %65 = fsetcond.eq.f32 %63, %64

    e2059553  fclass.d a0,fa1
      %63 = bitcast.i64 f11
      %65 = shl.i64 %63, 1
      %69 = setcond.ne.i64 %65, 0
      %70 = setcond.geu.i64 %65, 0x20000000000000
      %71 = setcond.geu.i64 %65, -0x20000000000000
      %72 = add.i64 %70, %71
      %73 = add.i64 %69, %72
      %75 = add.i64 %73, 4
      %77 = sar.i64 %63, 63
      %79 = and.i64 %77, 7
      %80 = xor.i64 %75, %79
      %81 = extract.i64 %63, 51, 1
      %83 = add.i64 %81, 8
      %84 = select.gtu.i64 %65, -0x20000000000000, %83, %80
      %85 = shl.i64 1, %84
      x10 = mov.i64 %85

    c2059553  fcvt.w.d a0,fa1,rtz
      %63:i32 = ftoi.f64.rtz f11
      x10 = sext %63

    c0159553  fcvt.wu.s a0,fa1,rtz
      %63 = unboxf.b32 f11
      %64:i32 = ftoi.f32.u.rtz %63
      x10 = sext %64

    c225c553  fcvt.l.d a0,fa1,rmm
      x10 = ftoi.f64.rmm f11

    d2058553  fcvt.d.w fa0,a1
      %63 = trunc x11
      f10 = itof.f64 %63

    d035f553  fcvt.s.lu fa0,a1
      %63 = itof.f32.u x11
      f10 = boxf.b32 %63

    4015f553  fcvt.s.d fa0,fa1
      %63 = fcvt.from64.to32 f11
      f10 = boxf.b32 %63

    42058553  fcvt.d.s fa0,fa1
      %63 = unboxf.b32 f11
      f10 = fcvt.from32.to64 %63

    4405f553  fcvt.h.s fa0,fa1
      %63 = unboxf.b32 f11
      %64 = fcvt.from32.to16 %63
      f10 = boxf.b16 %64

    e0058553  fmv.x.w a0,fa1
      %63 = bitcast.i64 f11
      x10 = sextract.i64 %63, 0, 32

    f0058553  fmv.w.x fa0,a1
      %63 = trunc x11
      %64 = bitcast.f32 %63
      f10 = boxf.b32 %64

    f2000553  fmv.d.x fa0,zero
      f10 = bitcast.f64 0

    f0180553  fli.s fa0,1.0
      %64 = bitcast.f32 0x3f800000
      f10 = boxf.b32 %64

    f21f0553  fli.d fa0,inf
      f10 = bitcast.f64 0x7ff0000000000000

    4255f553  froundnx.d fa0,fa1
      f10 = fround.f64.inexact f11

    a2c5c553  fleq.d a0,fa1,fa2
      x10 = fsetcond.le.f64 f11, f12

    c2859553  fcvtmod.w.d a0,fa1,rtz
      %63 = bitcast.i64 f11
      %64 = call convert_modular(%63)
      %65 = fp_get_flags
      %66 = ld.i64.u32 [540]
      %67 = or.i64 %65, %66
      fp_set_flags %67
      x10 = mov.i64 %64

    713d  c.addi16sp sp,-32
      x2 = add.i64 x2, -32

    8502  c.jr a0
      %64 = and.i64 x10, -2
      goto_cached 0, -1, %64

    6081  c.mop.1

    81c5c573  mop.r.0 a0,a1
      x10 = mov.i64 0

    00d00073  wrs.nto
      st.i64.u64 [512], 0x10004
      exit_tb 19

    rounding class 1
    02c5f553  fadd.d fa0,fa1,fa2
      f10 = fadd.f64.rmm f11, f12

    rounding class 1
    c2059553  fcvt.w.d
      %63:i32 = ftoi.f64.rtz f11
      x10 = sext %63

    rounding class 1
    00211073  fsrm sp
      %63 = extract.i64 x2, 0, 3
      st.i64.u32 [536], %63
      fp_set_rounding %63
      brcond.eq.i64 %63, 4, block1, block2
    block2 cold:
      st.i64.u64 [512], 0x10004
      exit_tb 17
    block1:

    rounding class 2
    00211073  fsrm sp
      %63 = extract.i64 x2, 0, 3
      st.i64.u32 [536], %63
      fp_set_rounding %63
      brcond.gtu.i64 %63, 4, block1, block2
    block2 cold:
      st.i64.u64 [512], 0x10004
      exit_tb 17
    block1:

    riscv32
    0085a503  lw a0,8(a1)
      x10 = gld.i32.s32 [x11 + 8]

    riscv32
    fea12e23  sw a0,-4(sp)
      gst.i32.u32 [x2 - 4], x10

    riscv32
    00b53507  fld fa0,11(a0)
      f10 = gld.f64.u64 [x10 + 11]

    riscv32
    80000537  lui a0,0x80000
      x10 = mov.i32 -0x80000000

    riscv32
    2011  c.jal .+4
      x1 = mov.i32 0x10002
      push_return 0, 0x10002
      goto_tb 1, 0x10004

    riscv32
    00008067  ret
      %64 = and.i32 x1, -2
      %65 = zext %64
      lookup_and_goto.return %65

    riscv32
    c8002573  rdcycleh a0
      %64 = call clock()
      %66 = shr.i64 %64, 32
      x10 = trunc %66

    riscv32
    18b6252f  sc.w a0,a1,(a2)
      %63 = ld.i32.u32 [520]
      st.i64.u64 [520], -1
      brcond.eq.i32 x12, %63, block1, block2
    block1:
      %65 = ld.i32.u32 [528]
      %66 = gcas.i32.s32.al [x12], %65, x11
      x10 = setcond.ne.i32 %66, %65
      br block3
    block2 cold:
      %68 = grmw.or.i32.s32.al [x12], 0
      x10 = mov.i32 1
      br block3
    block3:

    riscv32
    28c7352f  amocas.d a0,a2,(a4)
      %63 = zext x10
      %64 = zext x11
      %65 = deposit.i64 %63, %64, 32, 32
      %66 = zext x12
      %67 = zext x13
      %68 = deposit.i64 %66, %67, 32, 32
      %69 = gcas.i64.u64.al [x14], %65, %68
      x10 = trunc %69
      %71 = shr.i64 %69, 32
      x11 = trunc %71

    riscv32
    b2b50553  fmvp.d.x fa0,a0,a1
      %63 = zext x10
      %64 = zext x11
      %65 = deposit.i64 %63, %64, 32, 32
      f10 = bitcast.f64 %65

    riscv32
    e2150553  fmvh.x.d a0,fa0
      %63 = bitcast.i64 f10
      %65 = shr.i64 %63, 32
      x10 = trunc %65

    riscv32
    08054533  zext.h a0,a0
      x10 = extract.i32 x10, 0, 16

    riscv32
    69855513  rev8 a0,a0
      x10 = bswap.i32 x10

    riscv32
    6108  c.flw fa0,0(a0)
      %63 = gld.f32.u32 [x10]
      f10 = boxf.b32 %63

    riscv32
    02c5a533  mulhsu a0,a1,a2
      %64 = sar.i32 x11, 31
      %65 = and.i32 %64, x12
      %66 = mulhu.i32 x11, x12
      x10 = sub.i32 %66, %65

    riscv32
    0ac5b533  clmulh a0,a1,a2
      %63 = zext x11
      %64 = zext x12
      %65 = clmul.i64 %63, %64
      %67 = shr.i64 %65, 32
      x10 = trunc %67

    riscv32
    a2b52553  feq.d a0,fa0,fa1
      %63 = fsetcond.eq.f64 f10, f11
      %64 = trunc %63
      x10 = mov.i32 %64

    """
