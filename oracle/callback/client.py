"""The program with the handler as a process of its own; the soak starts it."""

from oracle.callback.application import Application
from oracle.program import run_program

if __name__ == "__main__":
    run_program(Application)
