// Nothing but what every test includes, compiled once: tests/CMakeLists.txt names it.
