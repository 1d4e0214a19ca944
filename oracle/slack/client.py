"""The bot as a process of its own; the soak starts it."""

from oracle.program import run_program
from oracle.slack.application import Application

if __name__ == "__main__":
    run_program(Application)
