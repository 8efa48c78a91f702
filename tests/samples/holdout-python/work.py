"""What worker processes run."""


def square(number):
    return number * number
