// Counts what a program allocates. The operators stand in a file of their own: a compiler that inlines only one of a
// pair takes it for a mistake.
#pragma once

extern long allocations;  // calls of operator new so far
