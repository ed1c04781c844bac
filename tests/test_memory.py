from glam.memory import peak_bytes


def test_peak_of_this_process_never_falls() -> None:
    before = peak_bytes()
    held = bytearray(b"x" * (1 << 20))
    assert peak_bytes() >= before > len(held)
