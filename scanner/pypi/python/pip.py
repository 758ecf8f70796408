"""Runs pip, which may start no other program: pip.py FOLDER-OF-PIP WORDS...

pip takes wheels alone where it is told to, but of an archive at a direct address it would run the package's own code to
ask what it needs. It does so in a process of its own, which is refused here.
"""
import runpy
import sys

PROGRAMS = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'os.forkpty', 'os.spawn')


def refuse(event, args):
    if event in PROGRAMS:
        raise PermissionError('a package at a direct address, or one to be built: its code is not run here')


if __name__ == '__main__':
    sys.argv.pop(0)
    sys.addaudithook(refuse)
    runpy.run_path(sys.argv[0], run_name='__main__')
