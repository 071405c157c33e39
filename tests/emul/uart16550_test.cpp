// SPDX-License-Identifier: MIT
#include "emul/uart16550.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace uc {
namespace {

enum Register : u64 { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };

constexpr unsigned kIrq = 10;

class Wire final : public IrqLine {
  public:
    bool level = false;
    void set(unsigned source, bool value) override {
        EXPECT_EQ(source, kIrq);
        EXPECT_NE(level, value) << "told of changes only";
        level = value;
    }
};

/// Takes `room` bytes, then refuses.
class Port final : public ConsolePort {
  public:
    std::string text;
    usize room = ~usize{0};
    bool write(u8 byte) override {
        if (room == 0) return false;
        --room;
        text += static_cast<char>(byte);
        return true;
    }
};

struct UartTest : testing::Test {
    Wire wire;
    Port port;
    Uart16550 uart{wire, kIrq, port};

    u8 read(u64 reg) {
        const auto value = uart.read(reg, 1);
        EXPECT_TRUE(value.has_value());
        return static_cast<u8>(value.value_or(0));
    }
    void write(u64 reg, u8 value) { EXPECT_TRUE(uart.write(reg, 1, value)); }
    void send(std::string_view text) {
        for (const char c : text) write(DATA, static_cast<u8>(c));
    }
    unsigned type(std::string_view text) {
        unsigned taken = 0;
        for (const char c : text) {
            if (!uart.receive(static_cast<u8>(c))) break;
            ++taken;
        }
        return taken;
    }
    std::string take(unsigned count) {
        std::string got;
        while (count-- > 0) got += static_cast<char>(read(DATA));
        return got;
    }
};

const std::string kSixteen = "0123456789abcdef";

TEST_F(UartTest, PowerOn) {
    EXPECT_EQ(read(IER), 0x00);
    EXPECT_EQ(read(IIR), 0x01);
    EXPECT_EQ(read(LCR), 0x00);
    EXPECT_EQ(read(MCR), 0x08);
    EXPECT_EQ(read(LSR), 0x60);
    EXPECT_EQ(read(MSR), 0xb0);
    EXPECT_EQ(read(DATA), 0x00);
    EXPECT_FALSE(wire.level);
}

TEST_F(UartTest, RegistersKeepTheBitsTheyHave) {
    for (unsigned v = 0; v < 256; ++v) {
        const u8 value = static_cast<u8>(v);
        write(SCR, value);
        write(LCR, value);
        EXPECT_EQ(read(SCR), value);
        EXPECT_EQ(read(LCR), value);
        write(LCR, 0);
        write(IER, value & ~0x02);
        EXPECT_EQ(read(IER), value & 0x0d);
        write(MCR, value);
        EXPECT_EQ(read(MCR), value & 0x1f);
    }
}

TEST_F(UartTest, StatusRegistersIgnoreWrites) {
    write(LSR, 0xff);
    write(MSR, 0xff);
    EXPECT_EQ(read(LSR), 0x60);
    EXPECT_EQ(read(MSR), 0xb0);
}

TEST_F(UartTest, DivisorLatchHidesDataAndIer) {
    write(IER, 0x05);
    write(LCR, 0x83);
    EXPECT_EQ(read(DATA), 12);
    EXPECT_EQ(read(IER), 0);
    write(DATA, 0x34);
    write(IER, 0x12);
    EXPECT_EQ(read(DATA), 0x34);
    EXPECT_EQ(read(IER), 0x12);
    write(LCR, 0x03);
    EXPECT_EQ(read(IER), 0x05);
    EXPECT_EQ(port.text, "");
}

TEST_F(UartTest, EveryWidthReachesOneRegister) {
    for (const unsigned width : {1u, 2u, 4u, 8u}) {
        EXPECT_EQ(uart.read(MCR & ~(width - 1), width), uart.read(MCR & ~(width - 1), 1)) << width;
        EXPECT_TRUE(uart.write(DATA, width, 0x41'4243'4445));
    }
    EXPECT_EQ(port.text, "EEEE");
    EXPECT_EQ(read(LCR), 0) << "a wide store does not spill over";
}

TEST_F(UartTest, IdentifiesAsA16550A) {
    EXPECT_EQ(read(IIR) & 0xc0, 0x00);
    write(FCR, 0x01);
    EXPECT_EQ(read(IIR) & 0xc0, 0xc0);
    write(FCR, 0xc0);
    EXPECT_EQ(read(IIR) & 0xc0, 0x00) << "without the enable bit nothing else counts";
}

TEST_F(UartTest, SendsInOrder) {
    write(FCR, 0x01);
    send("hello");
    EXPECT_EQ(port.text, "hello");
    EXPECT_EQ(read(LSR), 0x60);
}

TEST_F(UartTest, ABackendThatIsFullShowsInLsrAndLosesNothing) {
    write(FCR, 0x01);
    port.room = 3;
    send("abcdefgh");
    EXPECT_EQ(port.text, "abc");
    EXPECT_EQ(read(LSR), 0x00) << "neither THRE nor TEMT";
    port.room = 2;
    EXPECT_FALSE(uart.drain());
    EXPECT_EQ(port.text, "abcde");
    EXPECT_EQ(read(LSR), 0x00);
    port.room = 100;
    send("i");
    EXPECT_EQ(port.text, "abcde") << "does not overtake what waits";
    EXPECT_TRUE(uart.drain());
    EXPECT_EQ(port.text, "abcdefghi");
    EXPECT_EQ(read(LSR), 0x60);
}

TEST_F(UartTest, TransmitterHoldsSixteenOrOne) {
    port.room = 0;
    send("AB");
    port.room = 100;
    EXPECT_TRUE(uart.drain());
    EXPECT_EQ(port.text, "A") << "the second was written without THRE";
    port.text.clear();
    write(FCR, 0x01);
    port.room = 0;
    send(kSixteen + "X");
    port.room = 100;
    EXPECT_TRUE(uart.drain());
    EXPECT_EQ(port.text, kSixteen);
}

TEST_F(UartTest, ResettingTheTransmitterDropsWhatWaits) {
    write(FCR, 0x01);
    port.room = 0;
    send("abc");
    write(FCR, 0x05);
    EXPECT_EQ(read(LSR), 0x60);
    port.room = 100;
    EXPECT_TRUE(uart.drain());
    EXPECT_EQ(port.text, "");
}

TEST_F(UartTest, TransmitInterruptOnEnableUntilIirIsRead) {
    write(IER, 0x02);
    EXPECT_TRUE(wire.level);
    EXPECT_EQ(read(IIR), 0x02);
    EXPECT_FALSE(wire.level);
    EXPECT_EQ(read(IIR), 0x01);
    write(IER, 0x02);
    EXPECT_FALSE(wire.level) << "was enabled already";
    write(IER, 0x00);
    write(IER, 0x02);
    EXPECT_TRUE(wire.level) << "toggling asks again: Linux tests that";
    write(IER, 0x00);
    EXPECT_FALSE(wire.level);
}

TEST_F(UartTest, TransmitInterruptWhenTheFifoDrains) {
    write(FCR, 0x01);
    write(IER, 0x02);
    EXPECT_EQ(read(IIR), 0xc2);
    port.room = 0;
    send("ab");
    EXPECT_FALSE(wire.level);
    EXPECT_EQ(read(IIR), 0xc1);
    write(IER, 0x00);
    write(IER, 0x02);
    EXPECT_FALSE(wire.level) << "not empty: enabling raises nothing";
    port.room = 1;
    uart.drain();
    EXPECT_FALSE(wire.level);
    port.room = 1;
    uart.drain();
    EXPECT_TRUE(wire.level);
    send("c");
    EXPECT_FALSE(wire.level) << "writing THR clears it";
    EXPECT_EQ(read(LSR), 0x00);
}

TEST_F(UartTest, ReadingIirDoesNotClearATransmitInterruptItDoesNotShow) {
    write(IER, 0x03);
    ASSERT_TRUE(uart.receive('x'));
    EXPECT_EQ(read(IIR), 0x04);
    EXPECT_EQ(read(DATA), 'x');
    EXPECT_EQ(read(IIR), 0x02);
}

TEST_F(UartTest, ReceivesOneByteWithoutFifos) {
    write(IER, 0x01);
    EXPECT_EQ(uart.room(), 1u);
    EXPECT_EQ(type("ab"), 1u);
    EXPECT_EQ(uart.room(), 0u);
    EXPECT_TRUE(wire.level);
    EXPECT_EQ(read(LSR), 0x61);
    EXPECT_EQ(read(IIR), 0x04);
    EXPECT_EQ(read(DATA), 'a');
    EXPECT_FALSE(wire.level);
    EXPECT_EQ(read(LSR), 0x60) << "refusing a byte is not an overrun";
}

TEST_F(UartTest, TriggerLevels) {
    const unsigned kLevels[] = {1, 4, 8, 14};
    write(IER, 0x01);
    for (unsigned code = 0; code < 4; ++code) {
        write(FCR, static_cast<u8>(0x03 | code << 6));
        for (unsigned n = 1; n <= 16; ++n) {
            ASSERT_EQ(type("x"), 1u);
            EXPECT_TRUE(wire.level);
            EXPECT_EQ(read(IIR), n >= kLevels[code] ? 0xc4 : 0xcc) << code << " " << n;
        }
        EXPECT_EQ(uart.room(), 0u);
        EXPECT_EQ(type("y"), 0u);
    }
}

TEST_F(UartTest, ReceivesInOrder) {
    write(FCR, 0x01);
    EXPECT_EQ(type(kSixteen), 16u);
    EXPECT_EQ(take(10), kSixteen.substr(0, 10));
    EXPECT_EQ(uart.room(), 10u);
    EXPECT_EQ(type("ghij"), 4u);
    EXPECT_EQ(take(10), "abcdefghij");
    EXPECT_EQ(read(LSR), 0x60);
}

TEST_F(UartTest, FirmwareReadsTheSameReceiver) {
    write(IER, 0x01);
    EXPECT_FALSE(uart.take().has_value());
    type("a");
    EXPECT_EQ(uart.take(), u8{'a'});
    EXPECT_FALSE(wire.level);
    EXPECT_EQ(read(LSR), 0x60);
}

TEST_F(UartTest, FifoControlEmptiesTheReceiver) {
    write(FCR, 0x01);
    type("abc");
    write(FCR, 0x01);
    EXPECT_EQ(read(LSR), 0x61) << "same setting keeps the bytes";
    write(FCR, 0x03);
    EXPECT_EQ(read(LSR), 0x60);
    type("abc");
    write(FCR, 0x00);
    EXPECT_EQ(read(LSR), 0x60) << "so does switching FIFOs off";
    type("a");
    write(FCR, 0x01);
    EXPECT_EQ(read(LSR), 0x60) << "and on";
    write(FCR, 0x00);
    type("a");
    write(FCR, 0x02);
    EXPECT_EQ(read(LSR), 0x61) << "reset bits count only with the enable bit";
}

TEST_F(UartTest, LoopbackConnectsTransmitterAndReceiver) {
    write(FCR, 0x01);
    write(MCR, 0x10);
    EXPECT_EQ(uart.room(), 0u);
    EXPECT_FALSE(uart.receive('q')) << "the outside is disconnected";
    send("loop");
    EXPECT_EQ(port.text, "");
    EXPECT_EQ(read(LSR), 0x61);
    EXPECT_EQ(take(4), "loop");
}

TEST_F(UartTest, OverrunInLoopback) {
    write(FCR, 0x01);
    write(MCR, 0x10);
    write(IER, 0x04);
    send(kSixteen);
    EXPECT_FALSE(wire.level);
    send("X");
    EXPECT_TRUE(wire.level);
    EXPECT_EQ(read(IIR), 0xc6);
    EXPECT_EQ(read(LSR), 0x63);
    EXPECT_FALSE(wire.level);
    EXPECT_EQ(read(LSR), 0x61) << "reading cleared it";
    EXPECT_EQ(take(16), kSixteen) << "a FIFO keeps the old bytes";
    write(FCR, 0x00);
    send("XY");
    EXPECT_EQ(read(LSR), 0x63);
    EXPECT_EQ(read(DATA), 'Y') << "the single register keeps the new one";
}

TEST_F(UartTest, LoopbackShowsOutputsAsModemLines) {
    for (u8 outputs = 0; outputs < 16; ++outputs) {
        write(MCR, 0x10 | outputs);
        u8 expected = 0;
        if (outputs & 0x01) expected |= 0x20;  // DTR to DSR
        if (outputs & 0x02) expected |= 0x10;  // RTS to CTS
        if (outputs & 0x04) expected |= 0x40;  // OUT1 to RI
        if (outputs & 0x08) expected |= 0x80;  // OUT2 to DCD
        EXPECT_EQ(read(MSR) & 0xf0, expected);
    }
}

TEST_F(UartTest, ModemChangesInterruptUntilMsrIsRead) {
    write(IER, 0x08);
    EXPECT_FALSE(wire.level);
    write(MCR, 0x1b);  // loopback with RTS, DTR, OUT2: the lines look as before
    EXPECT_FALSE(wire.level);
    write(MCR, 0x19);
    EXPECT_TRUE(wire.level);
    EXPECT_EQ(read(IIR), 0x00);
    EXPECT_EQ(read(MSR), 0xa1) << "CTS fell";
    EXPECT_FALSE(wire.level);
    write(MCR, 0x1d);
    EXPECT_EQ(read(MSR), 0xe0) << "RI rising is no event";
    write(MCR, 0x10);
    EXPECT_EQ(read(MSR), 0x0e) << "RI, DSR and DCD fell";
    write(MCR, 0x00);
    EXPECT_EQ(read(MSR), 0xbb);
}

TEST_F(UartTest, InterruptsInOrderOfPriority) {
    write(FCR, 0x01);
    write(MCR, 0x10);
    (void)read(MSR);
    send(kSixteen + "X");
    write(MCR, 0x12);
    write(IER, 0x0f);
    EXPECT_EQ(read(IIR), 0xc6);
    (void)read(LSR);
    EXPECT_EQ(read(IIR), 0xc4);
    (void)take(16);
    EXPECT_EQ(read(IIR), 0xc2);
    EXPECT_EQ(read(IIR), 0xc0);
    (void)read(MSR);
    EXPECT_EQ(read(IIR), 0xc1);
    EXPECT_FALSE(wire.level);
}

TEST_F(UartTest, ResetReturnsToPowerOn) {
    write(FCR, 0xc1);
    write(LCR, 0x80);
    write(DATA, 1);
    write(LCR, 0x03);
    type("abc");
    port.room = 0;
    send("abc");
    write(MCR, 0x10);
    write(IER, 0x0f);
    write(SCR, 0x5a);
    uart.reset();
    EXPECT_FALSE(wire.level);
    EXPECT_EQ(read(IER), 0);
    EXPECT_EQ(read(IIR), 0x01);
    EXPECT_EQ(read(LCR), 0);
    EXPECT_EQ(read(MCR), 0x08);
    EXPECT_EQ(read(LSR), 0x60);
    EXPECT_EQ(read(MSR), 0xb0);
    EXPECT_EQ(read(SCR), 0);
    write(LCR, 0x80);
    EXPECT_EQ(read(DATA), 12);
}

/// Whatever drivers do, bytes that were accepted come out once and in order, and the wire agrees with IIR.
TEST_F(UartTest, RandomTrafficKeepsOrderAndTheWireHonest) {
    std::mt19937_64 random{16550};
    const auto upto = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    write(FCR, 0x01);
    std::string sent, typed, got;
    port.room = 0;
    for (int step = 0; step < 200'000; ++step) {
        switch (upto(8)) {
            case 0:
                if (read(LSR) & 0x20) {  // as drivers do: THRE is room for a FIFO full
                    for (unsigned n = upto(17); n > 0; --n) {
                        const char c = static_cast<char>(random());
                        sent += c;
                        write(DATA, static_cast<u8>(c));
                    }
                }
                break;
            case 1:
                port.room = upto(12);
                uart.drain();
                break;
            case 2: {
                const char c = static_cast<char>(random());
                const bool fits = uart.room() > 0;
                ASSERT_EQ(uart.receive(static_cast<u8>(c)), fits);
                if (fits) typed += c;
                break;
            }
            case 3:
                if (read(LSR) & 0x01) got += static_cast<char>(read(DATA));
                break;
            case 4: write(IER, static_cast<u8>(random())); break;
            case 5: write(FCR, static_cast<u8>(0x01 | upto(4) << 6)); break;
            case 6: write(MCR, static_cast<u8>(random() & 0x0f)); break;
            default: (void)read(static_cast<u64>(upto(2) ? IIR : MSR)); break;
        }
        const bool level = wire.level;
        ASSERT_EQ(level, (read(IIR) & 1) == 0) << "step " << step;
        ASSERT_EQ(sent.compare(0, port.text.size(), port.text), 0);
        if (sent.size() > 4096) {
            port.room = ~usize{0};
            uart.drain();
            ASSERT_EQ(sent, port.text);
            sent.clear();
            port.text.clear();
            port.room = 0;
        }
    }
    while (read(LSR) & 0x01) got += static_cast<char>(read(DATA));
    EXPECT_EQ(got, typed);
}

}  // namespace
}  // namespace uc
