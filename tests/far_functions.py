def double(v): return v*2
def mod3(v): return v%3
def add(a,b): return a+b
