"""The tests of tests/hosts under Debian's own kernel, with its openvswitch module, in QEMU: ``make test-kernel``."""
